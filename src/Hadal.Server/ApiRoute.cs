using Hadal.Server.Endpoints;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server;

/// <summary>A route of the API, of a server of its own and of <c>MapHadalOpenAI</c> alike. Those about the process (/health, /metrics) are not here.</summary>
internal sealed record ApiRoute(string Method, string Pattern, Func<ServerParts, RequestDelegate> Create)
{
    public static IReadOnlyList<ApiRoute> All { get; } =
    [
        new("POST", "/v1/chat/completions", parts => new ChatCompletionsEndpoint(parts.Models, parts.Options, parts.Pipeline).InvokeAsync),
        new("POST", "/v1/completions", parts => new CompletionsEndpoint(parts.Models, parts.Options, parts.Pipeline).InvokeAsync),
        new("POST", "/v1/embeddings", parts => new EmbeddingsEndpoint(parts.Models, parts.Options, parts.Lifecycle, parts.Metrics).InvokeAsync),
        new("POST", "/v1/responses", parts => new ResponsesEndpoint(parts.Models, parts.Options, parts.Pipeline, parts.Responses).CreateAsync),
        new("GET", "/v1/responses/{id}", parts => new ResponsesEndpoint(parts.Models, parts.Options, parts.Pipeline, parts.Responses).GetAsync),
        new("DELETE", "/v1/responses/{id}", parts => new ResponsesEndpoint(parts.Models, parts.Options, parts.Pipeline, parts.Responses).DeleteAsync),
        new("GET", "/v1/models", parts => new ModelsEndpoint(parts.Models).ListAsync),

        // Catch-all: ids of the form owner/name have slashes.
        new("GET", "/v1/models/{**id}", parts => new ModelsEndpoint(parts.Models).GetAsync),
        new("POST", "/tokenize", parts => new TokenizeEndpoint(parts.Models).InvokeAsync),
        new("POST", "/detokenize", parts => new DetokenizeEndpoint(parts.Models).InvokeAsync),
    ];
}
