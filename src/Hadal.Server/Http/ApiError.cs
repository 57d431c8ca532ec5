using System.Globalization;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Models;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Http;

/// <summary>The one error shape of the API: <c>{"error":{"message","type","param","code"}}</c>.</summary>
internal static class ApiError
{
    /// <summary>What the client may know of an exception: its own mistakes in full, ours not at all.</summary>
    public static ApiException From(Exception exception, string requestId) => exception switch
    {
        ApiException api => api,
        InvalidRequestException invalid => ApiException.Invalid(invalid.Parameter, invalid.Message, "invalid_value"),
        DeadlineExceededException { HasStarted: true } late => new ApiException(408, "invalid_request_error", late.Message, "timeout", "request_timeout"),
        DeadlineExceededException late => new ApiException(503, "server_error", late.Message, "timeout", "deadline_exceeded"),
        EngineUnavailableException => new ApiException(503, "server_error", "The model's engine has failed and takes no requests any more; the server must be restarted.", null, "engine_unavailable") { RetryAfter = TimeSpan.FromSeconds(30) },
        ModelLoadException load => new ApiException(503, "server_error", load.Message, "model", "model_load_failed") { RetryAfter = TimeSpan.FromSeconds(30) },
        QueueFullException full => new ApiException(429, "rate_limit_error", full.Message, null, "queue_full"),
        BadHttpRequestException { StatusCode: 413 } => new ApiException(413, "invalid_request_error", "The request body is larger than this server takes.", null, "request_too_large"),
        BadHttpRequestException { StatusCode: 408 } => new ApiException(408, "invalid_request_error", "The request body came too slowly.", null, "request_timeout"),
        BadHttpRequestException bad => new ApiException(bad.StatusCode, "invalid_request_error", "The HTTP request is malformed.", null, "bad_request"),
        _ => ApiException.Internal(requestId),
    };

    public static async Task SendAsync(HttpContext context, ApiException error)
    {
        var response = context.Response;
        response.StatusCode = error.Status;
        if (error.Status is 429 or 503)
            response.Headers.RetryAfter = Math.Max(1, Math.Ceiling((error.RetryAfter ?? TimeSpan.Zero).TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        if (error.Status == 401)
            response.Headers.WWWAuthenticate = "Bearer";
        await using var body = JsonResponse.Begin(context);
        Write(body.Json, error);
        await body.CompleteAsync();
    }

    public static void Write(Utf8JsonWriter json, ApiException error)
    {
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("message"u8, error.Message);
        json.WriteString("type"u8, error.Type);
        json.WriteString("param"u8, error.Param);
        json.WriteString("code"u8, error.Code);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
