using System.Diagnostics;
using Hadal.Engine.Paging;
using Hadal.Engine.Requests;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Scheduling;

/// <summary>
/// Hands out each step's token budget and the pages for it: running sequences that lack one token, then the others that run, then those that wait,
/// each in order of arrival. One thread; allocates nothing per step.
/// </summary>
/// <remarks>
/// Nobody starves. The waiting start strictly in order of arrival, the earliest running one takes pages from all later ones and fits alone
/// (checked at admission), and the budget covers one token for every running sequence.
/// </remarks>
internal sealed class Scheduler(EngineOptions options, BlockManager blocks)
{
    private readonly List<Sequence> _running = new(options.MaxRunning); // in order of arrival
    private readonly Sequence[] _scheduled = new Sequence[options.MaxRunning];
    private readonly SequenceQueue _waiting = new();

    public int NumRunning => _running.Count;

    public int NumWaiting => _waiting.Count;

    public long NumPreemptions { get; private set; }

    public int NumScheduled { get; private set; }

    public ReadOnlySpan<Sequence> Scheduled => _scheduled.AsSpan(0, NumScheduled);

    public void Enqueue(Sequence sequence)
    {
        sequence.State = SequenceState.Waiting;
        _waiting.Insert(sequence);
    }

    /// <summary>Chooses the next step's tokens.</summary>
    /// <returns>False if there is nothing to do.</returns>
    public bool Schedule()
    {
        NumScheduled = 0;
        int budget = options.MaxBatchedTokens;
        int promptRows = options.MaxPromptLogProbTokens;
        long preemptionsBefore = NumPreemptions;

        // The list shrinks from its end when a sequence is preempted, so those taken up before stay where they are.
        for (int i = 0; i < _running.Count; i++)
        {
            Sequence s = _running[i];
            if (s.NumPendingTokens == 1 && TryMakeRoom(s))
                Take(s, ref budget, ref promptRows);
        }

        for (int i = 0; i < _running.Count && budget > 0; i++)
        {
            if (_running[i].NumPendingTokens > 1)
                Take(_running[i], ref budget, ref promptRows);
        }

        // Pages just taken from one must not go to another that came later.
        bool admits = NumPreemptions == preemptionsBefore;
        while (admits && budget > 0 && _running.Count < options.MaxRunning && _waiting.First is { } first && TryStart(first))
            Take(first, ref budget, ref promptRows);
        return NumScheduled > 0;
    }

    /// <summary>Lays the step out for the runner.</summary>
    public void Fill(StepBatch batch)
    {
        int maxBlocks = 0;
        foreach (Sequence s in Scheduled)
            maxBlocks = Math.Max(maxBlocks, blocks.BlocksFor(s.NumComputedTokens + s.NumScheduledTokens));
        batch.Reset(NumScheduled, maxBlocks);
        foreach (Sequence s in Scheduled)
        {
            int end = s.NumComputedTokens + s.NumScheduledTokens;
            LogitsWanted logits = s.CollectsPromptLogProbs ? LogitsWanted.All : end == s.NumTokens ? LogitsWanted.Last : LogitsWanted.None;
            s.FirstLogitRow = batch.AddSequence(s.Tokens[s.NumComputedTokens..end], s.NumComputedTokens, s.Blocks.AsSpan(blocks.BlocksFor(end)), logits);
        }
    }

    /// <summary>Notes that the step computed the sequence's share, and makes the blocks it filled findable.</summary>
    public void MarkComputed(Sequence s)
    {
        s.NumComputedTokens += s.NumScheduledTokens;
        if (Shares(s))
            blocks.Commit(s.Blocks, s.Tokens, s.NumComputedTokens);
    }

    /// <summary>Takes the sequence out of everything and frees its pages.</summary>
    public void Remove(Sequence s)
    {
        if (s.State == SequenceState.Waiting)
            _waiting.Remove(s);
        else if (s.State == SequenceState.Running)
            _running.Remove(s);
        blocks.Release(s.Blocks);
        s.State = SequenceState.Finished;
    }

    private void Take(Sequence s, ref int budget, ref int promptRows)
    {
        int n = Math.Min(s.NumPendingTokens, budget);
        if (s.CollectsPromptLogProbs)
        {
            n = Math.Min(n, promptRows);
            promptRows -= n;
            if (n == 0)
                return;
        }

        Debug.Assert(n > 0, "running sequences never outnumber the budget");
        s.NumScheduledTokens = n;
        budget -= n;
        _scheduled[NumScheduled++] = s;
    }

    /// <summary>A page for the sequence's next token, if need be from those that came later; from itself last.</summary>
    private bool TryMakeRoom(Sequence s)
    {
        while (!blocks.TryGrow(s.Blocks, s.NumTokens))
        {
            Sequence last = _running[^1];
            Preempt(last);
            if (last == s)
                return false;
        }

        return true;
    }

    /// <summary>Frees the pages and waits again, first in line. What it computed may still be found in the prefix cache then; the rest is computed anew.</summary>
    private void Preempt(Sequence s)
    {
        _running.RemoveAt(_running.Count - 1);
        blocks.Release(s.Blocks);
        s.NumComputedTokens = 0;
        NumPreemptions++;
        Enqueue(s);
    }

    /// <summary>
    /// Gives the first waiting sequence pages for all tokens it has, so that prefill never runs out midway. One page for every running sequence
    /// is left over: else the newcomer would soon be preempted by them, and its work be lost.
    /// </summary>
    private bool TryStart(Sequence s)
    {
        int spare = blocks.NumAvailable - _running.Count;
        if (spare < 1)
            return false; // at least one page must be new, whatever the cache holds
        long root = options.EnablePrefixCaching ? 0 : -s.Request.Order;
        int numUnreferenced = 0;
        int numCached = Shares(s) && !s.CollectsPromptLogProbs ? blocks.FindPrefix(s.Tokens, root, out numUnreferenced) : 0;
        if (blocks.BlocksFor(s.NumTokens) - numCached > spare - numUnreferenced)
            return false;
        blocks.AdoptPrefix(s.Blocks, root, numCached);
        bool grown = blocks.TryGrow(s.Blocks, s.NumTokens);
        Debug.Assert(grown, "counted before");
        s.NumComputedTokens = numCached * blocks.BlockSize;
        _waiting.Remove(s);
        s.State = SequenceState.Running;
        int at = _running.Count;
        while (at > 0 && s.IsBefore(_running[at - 1]))
            at--;
        _running.Insert(at, s);
        return true;
    }

    /// <summary>Without prefix caching only the choices of one request share pages, under a root of their own.</summary>
    private bool Shares(Sequence s) => options.EnablePrefixCaching || s.Request.Sequences.Length > 1;
}
