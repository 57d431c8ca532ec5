using Hadal.Engine.Embedding;
using Hadal.Engine.Requests;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Scheduling;

/// <summary>The update of a sequence whose hidden states are wanted.</summary>
internal sealed partial class EngineLoop
{
    /// <summary>Pools the step's share of the prompt; with the last share the request ends.</summary>
    private void AdvanceEmbedding(Sequence s, HiddenPool pool)
    {
        var runner = (IHiddenStateRunner)_runner; // the door refuses requests without it
        bool isLast = s.NumPendingTokens == s.NumScheduledTokens;
        if (pool.NeedsEveryToken)
            pool.Add(runner.FetchHidden(s.StepRow, s.NumScheduledTokens), runner.HiddenSize, s.NumComputedTokens);
        else if (isLast)
            pool.Set(runner.FetchHidden(s.StepRow + s.NumScheduledTokens - 1, 1));
        _scheduler.MarkComputed(s, s.NumScheduledTokens);
        if (isLast)
            Finish(s, FinishReason.Stop, embedding: pool.Finish());
    }
}
