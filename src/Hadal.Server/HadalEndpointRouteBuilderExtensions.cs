using Hadal.Server;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;

// Where people look for what can be mapped onto an application.
namespace Microsoft.AspNetCore.Builder;

/// <summary>The OpenAI API on an application of your own.</summary>
public static class HadalEndpointRouteBuilderExtensions
{
    /// <summary>
    /// Maps /v1/chat/completions, /v1/completions, /v1/models, /tokenize and /detokenize over the models that <c>services.AddHadal(…)</c> registered.
    /// Address, TLS and what comes before stay the application's; of the options those about requests count (API keys, limits, thinking).
    /// </summary>
    /// <returns>The routes, to add conventions to: <c>.RequireAuthorization()</c>.</returns>
    /// <exception cref="InvalidOperationException">No model is registered.</exception>
    public static RouteGroupBuilder MapHadalOpenAI(this IEndpointRouteBuilder endpoints, HadalServerOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        options ??= new HadalServerOptions();
        OptionChecks.Check(options);
        var server = new MappedServer(endpoints.ServiceProvider, options);
        var group = endpoints.MapGroup("");
        foreach (var route in ApiRoute.All)
            group.MapMethods(route.Pattern, [route.Method], server.Handler(route)).WithMetadata(new BodyLimit(options.MaxBodyBytes));
        return group;
    }

    private sealed class BodyLimit(long bytes) : IRequestSizeLimitMetadata
    {
        public long? MaxRequestBodySize => bytes;
    }
}
