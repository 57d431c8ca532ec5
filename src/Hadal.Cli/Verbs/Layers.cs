namespace Hadal.Cli.Verbs;

/// <summary>What belongs to layers, for people: equal layers stand as one.</summary>
internal static class Layers
{
    /// <param name="items">In the order of the program.</param>
    /// <param name="scope">Where an item belongs.</param>
    /// <param name="signature">What makes two items equal but for their layer.</param>
    /// <param name="all">Do not fold.</param>
    /// <returns>Headings, and the items of the first layer of each run.</returns>
    public static IEnumerable<(string Heading, IReadOnlyList<T> Items)> Fold<T>(IEnumerable<T> items, Func<T, string> scope, Func<T, string> signature, bool all = false)
    {
        List<(string Scope, List<T> Items)> groups = [];
        foreach (T item in items)
        {
            if (groups.Count == 0 || groups[^1].Scope != scope(item))
            {
                groups.Add((scope(item), []));
            }

            groups[^1].Items.Add(item);
        }

        for (int i = 0; i < groups.Count;)
        {
            int same = 1;
            while (!all && i + same < groups.Count && groups[i].Items.Select(signature).SequenceEqual(groups[i + same].Items.Select(signature), StringComparer.Ordinal))
            {
                same++;
            }

            yield return (same == 1 ? groups[i].Scope : $"{groups[i].Scope} … {groups[i + same - 1].Scope} ({same} alike)", groups[i].Items);
            i += same;
        }
    }
}
