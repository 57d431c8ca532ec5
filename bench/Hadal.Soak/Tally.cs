using System.Collections.Concurrent;

namespace Hadal.Soak;

/// <summary>What all clients together have seen. Thread-safe.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<string, int> _errors = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<double> _firstTokens = new();
    private long _streams;
    private long _tokens;
    private long _cut;
    private long _vanished;

    public long Streams => Interlocked.Read(ref _streams);

    public long Tokens => Interlocked.Read(ref _tokens);

    public long Cut => Interlocked.Read(ref _cut);

    public long Vanished => Interlocked.Read(ref _vanished);

    public IReadOnlyDictionary<string, int> Errors => _errors;

    public void AddStream(int numTokens, double secondsToFirst)
    {
        Interlocked.Increment(ref _streams);
        Interlocked.Add(ref _tokens, numTokens);
        _firstTokens.Enqueue(secondsToFirst);
    }

    public void AddCut() => Interlocked.Increment(ref _cut);

    public void AddVanished() => Interlocked.Increment(ref _vanished);

    public void AddError(string what) => _errors.AddOrUpdate(what, 1, (_, n) => n + 1);

    public (double P50, double P99) FirstTokens()
    {
        double[] sorted = [.. _firstTokens.Order()];
        return sorted.Length == 0 ? (0, 0) : (sorted[sorted.Length / 2], sorted[(int)(sorted.Length * 0.99)]);
    }
}
