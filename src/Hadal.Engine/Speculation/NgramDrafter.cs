using Hadal.Engine.Requests;

namespace Hadal.Engine.Speculation;

/// <summary>
/// Prompt lookup: where the last tokens stand once more in the sequence, what followed them there is the draft. The longest agreement wins, of equal ones
/// the latest. Costs a vectorised search through the tokens; keeps nothing.
/// </summary>
internal sealed class NgramDrafter(int minLength, int maxLength) : IDrafter
{
    // A bound on the search: the last tokens of a very long text.
    private const int MaxLookback = 1 << 16;

    public bool IsFree => true;

    public void Draft(ReadOnlySpan<Sequence> sequences)
    {
        foreach (Sequence s in sequences)
        {
            if (s.Draft.Limit == 0)
                continue;
            ReadOnlySpan<int> tokens = s.Tokens;
            int from = Find(tokens[Math.Max(0, tokens.Length - MaxLookback)..], minLength, maxLength);
            if (from < 0)
                continue;
            from += Math.Max(0, tokens.Length - MaxLookback);
            int numTokens = tokens.Length;
            for (int i = 0; i < s.Draft.Limit; i++)
            {
                // A repetition shorter than the draft goes on into the draft itself.
                int at = from + i;
                if (!s.TryAddDraft(at < numTokens ? s.Tokens[at] : s.DraftAt(at - numTokens)))
                    break;
            }
        }
    }

    public void Skip(ReadOnlySpan<Sequence> sequences)
    {
    }

    public void Dispose()
    {
    }

    /// <summary>Where the tokens go on that follow the latest earlier occurrence of the longest end that has one; -1 for none.</summary>
    internal static int Find(ReadOnlySpan<int> tokens, int minLength, int maxLength)
    {
        for (int n = Math.Min(maxLength, tokens.Length - 1); n >= minLength; n--)
        {
            int at = tokens[..^1].LastIndexOf(tokens[^n..]);
            if (at >= 0)
                return at + n;
        }

        return -1;
    }
}
