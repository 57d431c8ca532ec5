using System.Diagnostics;

namespace Hadal.Graph.Execution;

/// <summary>Time by operation, summed over steps. One writer.</summary>
public sealed class StepProfile
{
    private readonly Dictionary<string, (long Ticks, long Count)> _byName = new(StringComparer.Ordinal);

    /// <summary>Name, time and number of calls, most time first.</summary>
    public IEnumerable<(string Name, TimeSpan Time, long Count)> Rows => _byName
        .Select(p => (p.Key, Stopwatch.GetElapsedTime(0, p.Value.Ticks), p.Value.Count))
        .OrderByDescending(r => r.Item2);

    public void Clear() => _byName.Clear();

    internal void Add(string name, long ticks)
    {
        (long total, long count) = _byName.GetValueOrDefault(name);
        _byName[name] = (total + ticks, count + 1);
    }
}
