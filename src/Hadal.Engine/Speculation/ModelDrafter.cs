using Hadal.Engine.Requests;
using Hadal.Engine.Sampling;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Speculation;

/// <summary>
/// Drafts by a smaller model. Its pages stand under the main model's block ids, so it keeps no books of its own. It computes every token of a sequence
/// itself, also those whose pages the main model found in its prefix cache; where two share a page both write the same into it.
/// </summary>
/// <param name="runner">The draft model; disposed with this.</param>
/// <param name="sampler">Shared with the engine, on its thread.</param>
/// <param name="maxSequences">That may run at once.</param>
/// <param name="maxBatchedTokens">Tokens of one step of the draft model at the most.</param>
internal sealed class ModelDrafter(IModelRunner runner, Sampler sampler, int maxSequences, int maxBatchedTokens) : IDrafter
{
    private readonly StepBatch _batch = new(runner.BlockSize);
    private readonly Sequence[] _drafting = new Sequence[maxSequences];

    public bool IsFree => false;

    public void Draft(ReadOnlySpan<Sequence> sequences)
    {
        int count = CatchUp(sequences);
        ReadOnlySpan<float> logits = _batch.NumTokens > 0 ? runner.Run(_batch) : default;
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
                logits = runner.Run(_batch);
        }
    }

    public void Skip(ReadOnlySpan<Sequence> sequences)
    {
        // Tokens are known: whatever is missing is computed when drafts are wanted again.
    }

    public void Dispose()
    {
        _batch.Dispose();
        runner.Dispose();
    }

    private int CatchUp(ReadOnlySpan<Sequence> sequences)
    {
        int maxBlocks = 0;
        foreach (Sequence s in sequences)
            maxBlocks = Math.Max(maxBlocks, s.Blocks.Count);
        _batch.Reset(sequences.Length, maxBlocks);
        int budget = maxBatchedTokens;
        int count = 0;
        foreach (Sequence s in sequences)
        {
            DraftState state = s.Draft;
            state.Limit = Math.Min(state.Limit, runner.MaxContextLen - s.NumTokens);
            if (state.Limit <= 0 || budget == 0)
                continue;
            // Behind the last token lie the drafts of last time, which the step may have rejected.
            int from = state.ContextStart < 0 ? 0 : Math.Min(state.ContextEnd, s.NumTokens - 1);
            int end = Math.Min(s.NumTokens, from + budget);
            bool drafts = end == s.NumTokens;
            _batch.AddSequence(s.Tokens[from..end], from, s.Blocks.AsSpan(BlocksFor(end)), drafts ? LogitsWanted.Last : LogitsWanted.None);
            budget -= end - from;
            state.ContextStart = 0;
            state.ContextEnd = end;
            if (drafts)
                _drafting[count++] = s;
        }

        return count;
    }

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
            int position = s.Draft.ContextEnd;
            _batch.AddSequence(s.TokensAndDrafts(position, position + 1), position, s.Blocks.AsSpan(BlocksFor(position + 1)), LogitsWanted.Last);
            s.Draft.ContextEnd = position + 1;
            _drafting[kept++] = s;
        }

        return kept;
    }

    private int BlocksFor(int numTokens) => (numTokens + runner.BlockSize - 1) / runner.BlockSize;
}
