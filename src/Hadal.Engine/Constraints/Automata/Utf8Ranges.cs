namespace Hadal.Engine.Constraints.Automata;

/// <summary>Sets of characters as sequences of byte ranges, as in Thompson's and Cox' regular expression engines.</summary>
internal static class Utf8Ranges
{
    /// <summary>Each string is one sequence: first and last of the first byte, first and last of the second, …</summary>
    public static List<string> Of(CodePointSet set)
    {
        var sequences = new List<string>();
        foreach ((int first, int last) in set.Ranges)
            Split(first, last, sequences);
        return sequences;
    }

    private static void Split(int first, int last, List<string> sequences)
    {
        // Where the number of bytes changes.
        foreach (int limit in (ReadOnlySpan<int>)[0x7F, 0x7FF, 0xFFFF])
        {
            if (first <= limit && last > limit)
            {
                Split(first, limit, sequences);
                Split(limit + 1, last, sequences);
                return;
            }
        }

        // Where continuation bytes do not run through all their values.
        int numBytes = Length(first);
        for (int i = 1; i < numBytes; i++)
        {
            int mask = (1 << (6 * i)) - 1;
            if ((first & ~mask) == (last & ~mask))
                continue;
            if ((first & mask) != 0)
            {
                Split(first, first | mask, sequences);
                Split((first | mask) + 1, last, sequences);
                return;
            }

            if ((last & mask) != mask)
            {
                Split(first, (last & ~mask) - 1, sequences);
                Split(last & ~mask, last, sequences);
                return;
            }
        }

        Span<char> pairs = stackalloc char[2 * numBytes];
        for (int i = 0; i < numBytes; i++)
        {
            pairs[2 * i] = (char)ByteAt(first, numBytes, i);
            pairs[(2 * i) + 1] = (char)ByteAt(last, numBytes, i);
        }

        sequences.Add(new string(pairs));
    }

    private static int Length(int value) => value <= 0x7F ? 1 : value <= 0x7FF ? 2 : value <= 0xFFFF ? 3 : 4;

    private static int ByteAt(int value, int numBytes, int index)
    {
        int bits = value >> (6 * (numBytes - 1 - index));
        return index > 0 ? 0x80 | (bits & 0x3F) : numBytes switch { 1 => bits, 2 => 0xC0 | bits, 3 => 0xE0 | bits, _ => 0xF0 | bits };
    }
}
