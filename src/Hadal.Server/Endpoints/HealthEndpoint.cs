using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

internal sealed class HealthEndpoint(ServerLifecycle lifecycle, ModelRegistry models)
{
    public async Task InvokeAsync(HttpContext context)
    {
        bool isDraining = lifecycle.IsDraining;
        bool hasFailed = models.Loaded.Any(model => model.Engine.Failure is not null);
        context.Response.StatusCode = isDraining || hasFailed ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
        await using var body = JsonResponse.Begin(context);
        body.Json.WriteStartObject();
        body.Json.WriteString("status"u8, hasFailed ? "failed"u8 : isDraining ? "draining"u8 : "ok"u8);
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }
}
