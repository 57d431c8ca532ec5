using System.Diagnostics;

namespace Hadal.Cli.Bench.Serving;

/// <summary>Times one stream's chunks, and checks that it is an answer: a finish reason, then the end, and nothing after it.</summary>
internal sealed class AnswerClock(long sent, Action onText)
{
    private readonly List<float> _itlMs = [];
    private long _first;
    private long _last;
    private int _numTextChunks;
    private int _promptTokens;
    private int _cachedTokens;
    private int _outputTokens;
    private bool _hasUsage;
    private bool _isDone;
    private string? _finishReason;

    /// <summary>What a stream lacks that ends now; null where it lacks nothing.</summary>
    public string? WhyIncomplete => !_isDone ? "stream_cut" : _finishReason is null ? "no_finish_reason" : null;

    /// <returns>What is wrong with it, or null.</returns>
    public string? Add(ReadOnlySpan<byte> data, long now)
    {
        if (_isDone)
        {
            return "malformed_stream";
        }

        if (data.SequenceEqual("[DONE]"u8))
        {
            _isDone = true;
            return null;
        }

        ChunkReader chunk = ChunkReader.Read(data);
        if (chunk.Error is { } error)
        {
            return $"stream_error {error}";
        }

        if (chunk.HasText)
        {
            if (_numTextChunks++ == 0)
            {
                _first = now;
            }
            else
            {
                _itlMs.Add((float)Stopwatch.GetElapsedTime(_last, now).TotalMilliseconds);
            }

            _last = now;
            onText();
        }

        _finishReason = chunk.FinishReason ?? _finishReason;
        if (chunk.HasUsage)
        {
            _hasUsage = true;
            (_promptTokens, _cachedTokens, _outputTokens) = (chunk.PromptTokens, chunk.CachedTokens, chunk.OutputTokens);
        }

        return null;
    }

    public RequestOutcome End(string? error, bool isInterrupted, TimeSpan lag) => new()
    {
        Error = isInterrupted ? null : error,
        IsInterrupted = isInterrupted,
        Lag = lag,
        Ttft = _numTextChunks > 0 ? Stopwatch.GetElapsedTime(sent, _first) : null,
        E2e = _numTextChunks > 0 ? Stopwatch.GetElapsedTime(sent, _last) : Stopwatch.GetElapsedTime(sent),
        ItlMs = _itlMs,
        PromptTokens = _promptTokens,
        CachedTokens = _cachedTokens,
        OutputTokens = _hasUsage ? _outputTokens : _numTextChunks,
        HasUsage = _hasUsage,
        FinishReason = _finishReason,
    };
}
