using System.Globalization;
using System.Text;

namespace Hadal.Jit;

/// <summary>The processors that this process may use, by the memory node they are near to, and which worker belongs to which.</summary>
/// <remarks>
/// Source: Linux, Documentation/ABI/stable/sysfs-devices-node; lists as in Documentation/admin-guide/cputopology.rst. What is absent, unreadable or
/// incomplete makes one node of all processors: then nothing is pinned and nothing is worse than without this.
/// </remarks>
internal sealed class NumaTopology
{
    /// <summary>Linux's own limit (NR_CPUS).</summary>
    public const int MaxProcessors = 8192;

    // Sysfs gives a page at most; a list of single processors up to the limit is some 40 KiB.
    private const int MaxListBytes = 64 << 10;

    private NumaTopology(int[][] nodes)
    {
        Nodes = nodes;
    }

    /// <summary>Processors node by node, of nodes that have any: ascending nodes, ascending processors. One node at least, which is empty where nothing is known.</summary>
    public IReadOnlyList<int[]> Nodes { get; }

    /// <summary>This machine's, as far as the calling thread may use it.</summary>
    public static NumaTopology Detect() => Read("/sys/devices/system/node", ThreadAffinity.Get());

    /// <param name="folder">With one folder nodeN a node, in it a file cpulist.</param>
    /// <param name="allowed">The processors that may be used.</param>
    public static NumaTopology Read(string folder, IReadOnlyCollection<int> allowed)
    {
        var left = new SortedSet<int>(allowed);
        int[] all = [.. left];
        List<int[]> nodes = [];
        foreach (string list in CpuLists(folder))
        {
            if (ReadList(list) is not { } processors)
            {
                return new NumaTopology([all]);
            }

            // Offline and forbidden ones go, and nodes of memory only. A processor that two nodes claim is the first one's.
            int[] usable = [.. processors.Where(left.Remove)];
            if (usable.Length > 0)
            {
                nodes.Add(usable);
            }
        }

        // A processor that no node claims must not be lost.
        return new NumaTopology(nodes.Count > 0 && left.Count == 0 ? [.. nodes] : [all]);
    }

    /// <summary>Numbers and ranges, "0-15,32-47"; blank is an empty list.</summary>
    /// <returns>The processors in ascending order, or null if the text is anything else.</returns>
    public static int[]? ParseCpuList(ReadOnlySpan<char> text)
    {
        text = text.Trim();
        var processors = new SortedSet<int>();
        if (text.IsEmpty)
        {
            return [];
        }

        foreach (Range part in text.Split(','))
        {
            ReadOnlySpan<char> range = text[part];
            int dash = range.IndexOf('-');
            if (!TryNumber(dash < 0 ? range : range[..dash], out int first) || !TryNumber(dash < 0 ? range : range[(dash + 1)..], out int last) || last < first)
            {
                return null;
            }

            for (int i = first; i <= last; i++)
            {
                processors.Add(i);
            }
        }

        return [.. processors];
    }

    /// <summary>
    /// The node of a worker. Workers of a node are neighbours by number and each node has its share by processors: runs of neighbouring items
    /// (<see cref="WorkSplit"/>) stay within a node but for one cut between nodes, whatever the size of a memory page.
    /// </summary>
    public int NodeOf(int worker, int numWorkers)
    {
        int processor = (int)((long)worker * Nodes.Sum(static n => n.Length) / numWorkers);
        int node = 0;
        while (node < Nodes.Count - 1 && processor >= Nodes[node].Length)
        {
            processor -= Nodes[node++].Length;
        }

        return node;
    }

    private static List<string> CpuLists(string folder)
    {
        var lists = new SortedDictionary<int, string>();
        try
        {
            foreach (string path in Directory.EnumerateDirectories(folder, "node*"))
            {
                if (TryNumber(Path.GetFileName(path.AsSpan())["node".Length..], out int node))
                {
                    lists[node] = Path.Combine(path, "cpulist");
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }

        return [.. lists.Values];
    }

    private static int[]? ReadList(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            byte[] bytes = new byte[MaxListBytes + 1];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            return length > MaxListBytes ? null : ParseCpuList(Encoding.ASCII.GetString(bytes, 0, length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out int number)
        => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number < MaxProcessors;
}
