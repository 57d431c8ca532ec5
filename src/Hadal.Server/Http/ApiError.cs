using System.Text.Json;
using Hadal.Engine;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Http;

/// <summary>The one error shape of the API: <c>{"error":{"message","type","param","code"}}</c>.</summary>
internal static class ApiError
{
    /// <summary>What the client may know of an exception: its own mistakes in full, ours not at all.</summary>
    public static ApiException From(Exception exception, string requestId) => exception switch
    {
        ApiException api => api,
        InvalidRequestException invalid => ApiException.Invalid(invalid.Parameter, invalid.Message),
        QueueFullException full => new ApiException(429, "rate_limit_error", full.Message, null, "queue_full"),
        BadHttpRequestException { StatusCode: 413 } => new ApiException(413, "invalid_request_error", "The request body is larger than this server takes.", null, "request_too_large"),
        BadHttpRequestException bad => new ApiException(bad.StatusCode, "invalid_request_error", "The HTTP request is malformed.", null, "bad_request"),
        _ => ApiException.Internal(requestId),
    };

    public static async Task SendAsync(HttpContext context, ApiException error)
    {
        var response = context.Response;
        response.StatusCode = error.Status;
        if (error.Status is 429 or 503)
            response.Headers.RetryAfter = "1";
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
