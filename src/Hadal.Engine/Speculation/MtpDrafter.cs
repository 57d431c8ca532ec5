using Hadal.Engine.Requests;
using Hadal.Engine.Sampling;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Speculation;

/// <summary>
/// Drafts by the model's own multi-token-prediction layer. One run takes in what the model's step computed, whose hidden states are still there, and gives
/// the first draft; each further draft is one more run over the layer's own output.
/// </summary>
/// <remarks>
/// The layer's context of a sequence begins at a page boundary of its own choosing, not at the sequence's beginning: positions are counted from there,
/// which attention over rotated keys cannot tell. So a prompt need not go through the layer whole, nothing has to be known of pages that came from the
/// prefix cache, and speculation can pause: it goes on from the next page.
/// The entry of position i needs token i + 1. The last entry of a page that others share may so be of another sequence's continuation; a draft is a guess.
/// </remarks>
internal sealed class MtpDrafter(IMtpRunner runner, Sampler sampler, int maxSequences) : IDrafter
{
    private readonly StepBatch _batch = new(runner.BlockSize);
    private readonly Sequence[] _drafting = new Sequence[maxSequences];
    private int[] _rows = new int[64];

    /// <summary>Tokens of a prompt that the layer takes in, counted from its end. More would cost a layer more for whole prompts (docs/speculation.md).</summary>
    internal int PromptWindow { get; init; } = 128;

    public bool IsFree => false;

    public void Draft(ReadOnlySpan<Sequence> sequences)
    {
        int count = TakeIn(sequences);
        if (_batch.NumTokens == 0)
            return;
        ReadOnlySpan<float> logits = runner.RunMtp(_batch, _rows.AsSpan(0, _batch.NumTokens), again: false);
        int vocabSize = runner.VocabSize;
        while (count > 0)
        {
            for (int i = 0; i < count; i++)
            {
                Sequence s = _drafting[i];
                int token = sampler.SampleDraft(logits.Slice(i * vocabSize, vocabSize), s.Sampling, s.NumDrafts);
                // Logits that are no numbers are no guess.
                if (token < 0)
                    s.Draft.Limit = s.NumDrafts;
                else
                    s.TryAddDraft(token);
            }

            count = Continue(count);
            if (count > 0)
                logits = runner.RunMtp(_batch, _rows.AsSpan(0, _batch.NumTokens), again: true);
        }
    }

    public void Skip(ReadOnlySpan<Sequence> sequences)
    {
        foreach (Sequence s in sequences)
            s.Draft.ContextStart = -1;
    }

    public void Dispose() => _batch.Dispose();

    /// <summary>Lays out what the model computed in its last step and the layer is to have.</summary>
    /// <returns>How many sequences want drafts; their logit rows come in the order of <see cref="_drafting"/>.</returns>
    private int TakeIn(ReadOnlySpan<Sequence> sequences)
    {
        int blockSize = runner.BlockSize;
        int maxBlocks = 0;
        foreach (Sequence s in sequences)
            maxBlocks = Math.Max(maxBlocks, s.Blocks.Count);
        _batch.Reset(sequences.Length, maxBlocks);
        int count = 0;
        foreach (Sequence s in sequences)
        {
            DraftState state = s.Draft;
            int from = s.StepStart;
            // What the pages hold now, drafts that were taken included; the last one's entry needs the token after it.
            int end = Math.Min(s.NumComputedTokens, s.NumTokens - 1);
            if (state.ContextStart < 0 || state.ContextEnd != from)
            {
                // A context begins at a page, with what this step computed.
                int want = Math.Max(from, s.Request.PromptTokens.Length - PromptWindow);
                state.ContextStart = (want + blockSize - 1) / blockSize * blockSize;
                from = state.ContextStart;
            }

            if (from >= end)
            {
                state.ContextStart = -1;
                continue;
            }

            state.ContextEnd = end;
            int start = state.ContextStart;
            bool drafts = state.Limit > 0;
            AddRows(s.StepRow + from - s.StepStart, end - from);
            _batch.AddSequence(s.TokensAndDrafts(from + 1, end + 1), from - start, Pages(s, start, end), drafts ? LogitsWanted.Last : LogitsWanted.None);
            if (drafts)
                _drafting[count++] = s;
        }

        return count;
    }

    /// <summary>Lays out one more run: the draft just made, of the sequences that want another.</summary>
    private int Continue(int count)
    {
        int maxBlocks = 0;
        for (int i = 0; i < count; i++)
            maxBlocks = Math.Max(maxBlocks, _drafting[i].Blocks.Count);
        _batch.Reset(count, maxBlocks);
        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            Sequence s = _drafting[i];
            if (s.NumDrafts >= s.Draft.Limit)
                continue;
            int position = s.Draft.ContextEnd + s.NumDrafts - 1;
            int start = s.Draft.ContextStart;
            AddRows(i, 1);
            _batch.AddSequence(s.TokensAndDrafts(position + 1, position + 2), position - start, Pages(s, start, position + 1), LogitsWanted.Last);
            _drafting[kept++] = s;
        }

        return kept;
    }

    private ReadOnlySpan<int> Pages(Sequence s, int start, int end)
    {
        int blockSize = runner.BlockSize;
        int first = start / blockSize;
        return s.Blocks.AsSpan((end + blockSize - 1) / blockSize)[first..];
    }

    private void AddRows(int first, int count)
    {
        int at = _batch.NumTokens;
        if (_rows.Length < at + count)
            Array.Resize(ref _rows, 2 * (at + count));
        for (int i = 0; i < count; i++)
            _rows[at + i] = first + i;
    }
}
