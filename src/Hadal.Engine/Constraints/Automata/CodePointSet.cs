namespace Hadal.Engine.Constraints.Automata;

/// <summary>A set of Unicode scalar values as sorted ranges that do not touch. Surrogates are never in it.</summary>
internal sealed class CodePointSet
{
    public const int Last = 0x10FFFF;

    private static readonly (int First, int Last)[] _noSurrogates = [(0, 0xD7FF), (0xE000, Last)];

    private CodePointSet((int First, int Last)[] ranges) => Ranges = ranges;

    public static CodePointSet All { get; } = new(_noSurrogates);

    public (int First, int Last)[] Ranges { get; }

    public bool IsEmpty => Ranges.Length == 0;

    public static CodePointSet Of(params IEnumerable<(int First, int Last)> ranges)
    {
        var merged = new List<(int First, int Last)>();
        foreach ((int first, int last) in ranges.Where(r => r.First <= r.Last).OrderBy(r => r.First))
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            else
                merged.Add((first, last));
        }

        return new(Intersect([.. merged], _noSurrogates));
    }

    public static CodePointSet Single(int value) => Of((value, value));

    public bool Contains(int value) => Array.Exists(Ranges, r => value >= r.First && value <= r.Last);

    public CodePointSet Union(CodePointSet other) => Of(Ranges.Concat(other.Ranges));

    public CodePointSet Complement()
    {
        var gaps = new List<(int, int)>();
        int next = 0;
        foreach ((int first, int last) in Ranges)
        {
            gaps.Add((next, first - 1));
            next = last + 1;
        }

        gaps.Add((next, Last));
        return Of(gaps);
    }

    public CodePointSet Intersect(CodePointSet other) => new(Intersect(Ranges, other.Ranges));

    public CodePointSet Except(CodePointSet other) => Intersect(other.Complement());

    private static (int First, int Last)[] Intersect((int First, int Last)[] a, (int First, int Last)[] b)
    {
        var common = new List<(int, int)>();
        for (int i = 0, j = 0; i < a.Length && j < b.Length;)
        {
            int first = Math.Max(a[i].First, b[j].First), last = Math.Min(a[i].Last, b[j].Last);
            if (first <= last)
                common.Add((first, last));
            if (a[i].Last < b[j].Last)
                i++;
            else
                j++;
        }

        return [.. common];
    }
}
