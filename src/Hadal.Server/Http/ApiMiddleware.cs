using Hadal.Server.Access;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;

namespace Hadal.Server.Http;

/// <summary>The outermost step of every request: its id, whether it may come in, and one error shape whatever goes wrong inside.</summary>
internal sealed class ApiMiddleware(RequestDelegate next, HadalServerOptions options, Gatekeeper gatekeeper, ServerLifecycle lifecycle, ServerMetrics metrics, ILogger<ApiMiddleware> logger)
{
    public async Task InvokeAsync(HttpContext context)
    {
        long started = options.TimeProvider.GetTimestamp();
        var trace = new RequestTrace($"req-{Guid.NewGuid():N}");
        context.Features.Set(trace);
        context.Features.Set(options);
        context.Response.Headers["X-Request-Id"] = trace.Id;
        try
        {
            if (gatekeeper.Admit(context) is { } caller)
            {
                context.Features.Set(caller);
                if (HttpMethods.IsPost(context.Request.Method) && context.Request.Path.StartsWithSegments("/v1"))
                    caller.TakeRequest(context);
                await next(context);
                await FillBareStatusAsync(context);
            }
        }
        catch (Exception exception)
        {
            await AnswerAsync(context, trace, exception);
        }

        string route = RouteOf(context);
        string outcome = trace.Outcome ?? Outcomes.Of(context.Response.StatusCode);
        metrics.RequestEnded(route, outcome);
        double milliseconds = options.TimeProvider.GetElapsedTime(started).TotalMilliseconds;
        Log.RequestEnded(logger, trace.Id, route, context.Response.StatusCode, outcome, milliseconds);
    }

    /// <summary>The pattern, never the path: a client may have put anything there.</summary>
    public static string RouteOf(HttpContext context) => (context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "none";

    private async Task AnswerAsync(HttpContext context, RequestTrace trace, Exception exception)
    {
        if (context.RequestAborted.IsCancellationRequested)
        {
            trace.Outcome ??= Outcomes.Cancelled;
            return;
        }

        bool isShutdown = exception is OperationCanceledException && lifecycle.HardStop.IsCancellationRequested;
        var error = isShutdown ? ApiException.ShuttingDown() : ApiError.From(exception, trace.Id);
        if (error.Status == 500)
            Log.RequestFailed(logger, exception, trace.Id, RouteOf(context));
        if (context.Response.HasStarted)
        {
            // Half an answer can't be mended: a broken connection at least can't be taken for a whole one.
            trace.Outcome = Outcomes.ServerError;
            context.Abort();
            return;
        }

        await ApiError.SendAsync(context, error);
    }

    /// <summary>Routing answers with a status alone.</summary>
    private static Task FillBareStatusAsync(HttpContext context)
    {
        var response = context.Response;
        if (response.HasStarted || response.StatusCode < 400 || response.ContentType is not null)
            return Task.CompletedTask;
        string path = ApiException.Shorten(context.Request.Path.Value ?? "");
        return ApiError.SendAsync(context, response.StatusCode switch
        {
            404 => new ApiException(404, "invalid_request_error", $"There is no route '{path}' here; docs/http-api.md lists them.", null, "unknown_url"),
            405 => new ApiException(405, "invalid_request_error", $"{ApiException.Shorten(context.Request.Method)} is not allowed on '{path}'; allowed: {response.Headers.Allow}.", null, "method_not_allowed"),
            var status => new ApiException(status, "invalid_request_error", "The HTTP request can't be served.", null, "bad_request"),
        });
    }
}
