namespace Hadal.Server.Telemetry;

/// <summary>Times the tokens of one job as they pass.</summary>
internal sealed class GenerationTimer(ServerMetrics metrics, TimeProvider time, string modelId, int numChoices)
{
    private readonly long _arrived = time.GetTimestamp();
    private readonly long[] _lastToken = new long[numChoices];
    private readonly KeyValuePair<string, object?> _model = new("model", modelId);
    private bool _hasFirst;

    public void Token(int choice)
    {
        long now = time.GetTimestamp();
        if (!_hasFirst)
        {
            _hasFirst = true;
            metrics.TimeToFirstToken.Record(time.GetElapsedTime(_arrived, now).TotalSeconds, _model);
        }

        if (_lastToken[choice] != 0)
            metrics.InterTokenLatency.Record(time.GetElapsedTime(_lastToken[choice], now).TotalSeconds, _model);
        _lastToken[choice] = now;
    }

    public void End() => metrics.RequestDuration.Record(time.GetElapsedTime(_arrived).TotalSeconds, _model);
}
