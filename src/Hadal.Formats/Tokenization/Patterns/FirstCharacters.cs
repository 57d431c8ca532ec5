namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>Which ASCII characters a match can begin with.</summary>
internal static class FirstCharacters
{
    /// <summary>By character, or null when the node can match without consuming any.</summary>
    public static bool[]? Of(PatternNode node)
    {
        var canStart = new bool[128];
        return Collect(node, canStart) ? null : canStart;
    }

    /// <summary>True when the node can match without consuming a character.</summary>
    private static bool Collect(PatternNode node, bool[] canStart)
    {
        switch (node)
        {
            case PatternNode.Set set:
                for (int c = 0; c < 128; c++) canStart[c] |= set.Class.Contains(c);
                return false;
            case PatternNode.Sequence sequence:
                foreach (PatternNode item in sequence.Items)
                {
                    if (!Collect(item, canStart)) return false;
                }

                return true;
            case PatternNode.Alternation alternation:
                bool empty = false;
                foreach (PatternNode item in alternation.Items) empty |= Collect(item, canStart);
                return empty;
            case PatternNode.Repeat repeat:
                return Collect(repeat.Item, canStart) || repeat.Min == 0;
            case PatternNode.Atomic atomic:
                return Collect(atomic.Item, canStart);
            default:
                return true;
        }
    }
}
