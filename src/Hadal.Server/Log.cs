using Microsoft.Extensions.Logging;

namespace Hadal.Server;

/// <summary>Everything the server logs. Never answers or keys, and prompts only where that was asked for.</summary>
internal static partial class Log
{
    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Listening on {Urls}, serving {Models}")]
    public static partial void Listening(ILogger logger, string urls, string models);

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "{Host} can be reached from other machines, without API keys")]
    public static partial void OpenToAll(ILogger logger, string host);

    [LoggerMessage(EventId = 3, Level = LogLevel.Information, Message = "Stopping: {NumActive} running requests may go on for {DrainSeconds} s")]
    public static partial void Draining(ILogger logger, int numActive, double drainSeconds);

    [LoggerMessage(EventId = 4, Level = LogLevel.Warning, Message = "Time to drain is over: running requests are cancelled")]
    public static partial void DrainTimedOut(ILogger logger);

    [LoggerMessage(EventId = 5, Level = LogLevel.Error, Message = "Request {RequestId} failed on {Route}")]
    public static partial void RequestFailed(ILogger logger, Exception exception, string requestId, string route);

    [LoggerMessage(EventId = 6, Level = LogLevel.Debug, Message = "Request {RequestId} on {Route}: {Status} {Outcome} after {Milliseconds:F1} ms")]
    public static partial void RequestEnded(ILogger logger, string requestId, string route, int status, string outcome, double milliseconds);

    [LoggerMessage(EventId = 7, Level = LogLevel.Information, Message = "Loading {Model}")]
    public static partial void Loading(ILogger logger, string model);

    [LoggerMessage(EventId = 8, Level = LogLevel.Information, Message = "{Model} was loaded in {Seconds:F1} s")]
    public static partial void Loaded(ILogger logger, string model, double seconds);

    [LoggerMessage(EventId = 9, Level = LogLevel.Error, Message = "{Model} could not be loaded")]
    public static partial void LoadFailed(ILogger logger, Exception exception, string model);

    [LoggerMessage(EventId = 10, Level = LogLevel.Information, Message = "{Model} was unloaded: nobody asked for it")]
    public static partial void Unloaded(ILogger logger, string model);

    [LoggerMessage(EventId = 11, Level = LogLevel.Error, Message = "{Model} could not be unloaded cleanly")]
    public static partial void UnloadFailed(ILogger logger, Exception exception, string model);

    [LoggerMessage(EventId = 12, Level = LogLevel.Warning, Message = "Request {RequestId}: its reader took nothing for {Seconds} s and was cut off")]
    public static partial void SlowReader(ILogger logger, string requestId, double seconds);

    [LoggerMessage(EventId = 13, Level = LogLevel.Information, Message = "Without API keys: only this machine is served")]
    public static partial void LoopbackOnly(ILogger logger);

    [LoggerMessage(EventId = 14, Level = LogLevel.Information, Message = "The TLS certificate has changed and was read again")]
    public static partial void CertificateReloaded(ILogger logger);

    [LoggerMessage(EventId = 15, Level = LogLevel.Error, Message = "The changed TLS certificate can't be read; the old one is used")]
    public static partial void CertificateFailed(ILogger logger, Exception exception);

    [LoggerMessage(EventId = 16, Level = LogLevel.Information, Message = "Request {RequestId} asks {Model}: {Prompt}")]
    public static partial void Prompt(ILogger logger, string requestId, string model, string prompt);
}
