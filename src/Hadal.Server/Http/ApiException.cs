using Hadal.Numerics;

namespace Hadal.Server.Http;

/// <summary>A request that ends in an error answer; the message is for the client.</summary>
internal sealed class ApiException : HadalException
{
    public ApiException(int status, string type, string message, string? param = null, string? code = null)
        : base(message)
    {
        Status = status;
        Type = type;
        Param = param;
        Code = code;
    }

    public int Status { get; }

    public string Type { get; }

    public string? Param { get; }

    public string? Code { get; }

    /// <summary>For the header Retry-After of 429 and 503; null for a second.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public static ApiException Invalid(string? param, string message, string? code = null) => new(400, "invalid_request_error", message, param, code);

    public static ApiException NotSupported(string param, string message) => Invalid(param, message, "unsupported_parameter");

    public static ApiException ModelNotFound(string name, string known) =>
        new(404, "invalid_request_error", $"The model '{Shorten(name)}' does not exist here. Served: {known}.", "model", "model_not_found");

    public static ApiException ContextLength(string param, int maxContextLen, int numTokens) =>
        Invalid(
            param,
            $"This model's maximum context length is {maxContextLen} tokens, and one of them is needed for the answer; the prompt has {numTokens} tokens. Shorten it by at least {numTokens - maxContextLen + 1}.",
            "context_length_exceeded");

    public static ApiException Unauthorized() =>
        new(401, "invalid_request_error", "A valid API key is needed: send the header 'Authorization: Bearer KEY'.", null, "invalid_api_key");

    public static ApiException ShuttingDown() => new(503, "server_error", "The server is shutting down. Try again later.", null, "shutting_down");

    public static ApiException Internal(string requestId) =>
        new(500, "server_error", $"The server failed on this request; its log says more under {requestId}.", null, "internal_error");

    /// <summary>Quotes at most a little of what a client sent, so that an error can't be made as large as the request.</summary>
    public static string Shorten(string text) => text.Length <= 80 ? text : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[79]) ? 79 : 80), "…");
}
