using Microsoft.Extensions.Logging;

namespace Hadal.Server;

/// <summary>Everything the server logs. Never prompts, answers or keys.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Listening on {Urls}, serving {Models}")]
    public static partial void Listening(ILogger logger, string urls, string models);

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "{Host} can be reached from other machines, without TLS and without API keys")]
    public static partial void OpenToAll(ILogger logger, string host);

    [LoggerMessage(EventId = 3, Level = LogLevel.Information, Message = "Stopping: {NumActive} running requests may go on for {DrainSeconds} s")]
    public static partial void Draining(ILogger logger, int numActive, double drainSeconds);

    [LoggerMessage(EventId = 4, Level = LogLevel.Warning, Message = "Time to drain is over: running requests are cancelled")]
    public static partial void DrainTimedOut(ILogger logger);

    [LoggerMessage(EventId = 5, Level = LogLevel.Error, Message = "Request {RequestId} failed on {Route}")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string requestId, string route);

    [LoggerMessage(EventId = 6, Level = LogLevel.Debug, Message = "Request {RequestId} on {Route}: {Status} {Outcome} after {Milliseconds:F1} ms")]
    public static partial void RequestEnded(ILogger logger, string requestId, string route, int status, string outcome, double milliseconds);
}
