namespace Hadal.Server.Telemetry;

/// <summary>What is noted of one HTTP request for log and metrics. Never its content.</summary>
internal sealed class RequestTrace(string id)
{
    public string Id { get; } = id;

    /// <summary>Set where the status code doesn't tell: a stream that failed or was left has long said 200.</summary>
    public string? Outcome { get; set; }
}
