using Microsoft.Extensions.Logging;

namespace Hadal.Extensions.AI.Hosting;

internal static partial class HostingLog
{
    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Loaded {ModelId} in {Seconds:F1} s")]
    public static partial void Loaded(ILogger logger, string modelId, double seconds);

    [LoggerMessage(EventId = 2, Level = LogLevel.Critical, Message = "{ModelId} cannot be loaded; every call to it fails")]
    public static partial void LoadFailed(ILogger logger, Exception exception, string modelId);
}
