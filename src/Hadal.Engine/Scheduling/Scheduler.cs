using System.Diagnostics;
using Hadal.Engine.Paging;
using Hadal.Engine.Requests;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Scheduling;

/// <summary>
/// Hands out each step's token budget and the pages for it: running sequences that lack one token, then the others that run, both in order of arrival moved by
/// class (<see cref="Request.AgedRank"/>), then those that wait as <see cref="WaitingQueue"/> orders them. One thread; allocates nothing per step.
/// </summary>
/// <remarks>
/// Nobody starves. Every waiting one comes to the front, the first running one takes pages from all later ones and fits alone
/// (checked at admission), and the budget covers one token for every running sequence.
/// </remarks>
internal sealed class Scheduler(EngineOptions options, BlockManager blocks)
{
    private readonly List<Sequence> _running = new(options.MaxRunning); // in order of arrival
    private readonly Sequence[] _scheduled = new Sequence[options.MaxRunning];
    private readonly WaitingQueue _waiting = new(new RequestClock(options.TimeProvider, options.AgeingInterval));

    public int NumRunning => _running.Count;

    public int NumWaiting => _waiting.Count;

    /// <summary>Sequences that could start now, pages permitting, beyond those that run or wait to go on.</summary>
    public int NumFreePlaces => Math.Max(0, options.MaxRunning - _running.Count - _waiting.NumResumed);

    /// <summary>Opens the request's account; before its first <see cref="Enqueue"/>.</summary>
    public void Join(Request request) => _waiting.Join(request);

    public void Leave(Request request) => _waiting.Leave(request);

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
        while (admits && budget > 0 && _running.Count < options.MaxRunning && _waiting.Peek() is { } first && (TryStart(first) || (DropDrafts() && TryStart(first))))
            Take(first, ref budget, ref promptRows);
        TakeDrafts(budget);
        return NumScheduled > 0;
    }

    /// <summary>Lays the step out for the runner.</summary>
    public void Fill(StepBatch batch) => Fill(batch, Scheduled);

    /// <summary>Lays out a part of the step.</summary>
    public void Fill(StepBatch batch, ReadOnlySpan<Sequence> part)
    {
        int maxBlocks = 0;
        foreach (Sequence s in part)
            maxBlocks = Math.Max(maxBlocks, blocks.BlocksFor(s.NumComputedTokens + s.NumScheduledTokens));
        batch.Reset(part.Length, maxBlocks);
        foreach (Sequence s in part)
        {
            int end = s.NumComputedTokens + s.NumScheduledTokens;
            // Drafts come behind the one token that a decoding sequence lacks: every row speaks about a token to choose.
            LogitsWanted logits = s.Request.Pool is not null ? LogitsWanted.None : s.CollectsPromptLogProbs || s.NumScheduledDrafts > 0 ? LogitsWanted.All : end == s.NumTokens ? LogitsWanted.Last : LogitsWanted.None;
            s.PlaceInStep(batch.NumTokens);
            s.FirstLogitRow = batch.AddSequence(s.TokensAndDrafts(s.NumComputedTokens, end), s.NumComputedTokens, s.Blocks.AsSpan(blocks.BlocksFor(end)), logits, s.Request.Adapter);
        }
    }

    /// <summary>Notes that the step computed so many more of the sequence's tokens, and makes the blocks they filled findable. Drafts count once they are accepted.</summary>
    public void MarkComputed(Sequence s, int numTokens)
    {
        s.NumComputedTokens += numTokens;
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
        s.Request.Share!.VirtualTime += n;
        s.NumScheduledDrafts = 0;
        budget -= n;
        _scheduled[NumScheduled++] = s;
    }

    /// <summary>Drafts get what is left of the budget when every token that must be computed has its share: they are guesses, and nobody waits for them.</summary>
    private void TakeDrafts(int budget)
    {
        foreach (Sequence s in Scheduled)
        {
            int n = Math.Min(s.NumDrafts, budget);
            if (n <= 0 || !blocks.TryGrow(s.Blocks, s.NumTokens + n))
                continue;
            Debug.Assert(s.NumPendingTokens == 1, "only decoding sequences have drafts");
            s.NumScheduledDrafts = n;
            s.NumScheduledTokens += n;
            budget -= n;
        }
    }

    /// <summary>Forgets all drafts and gives the pages back that were taken for them.</summary>
    /// <returns>Whether a page came free.</returns>
    private bool DropDrafts()
    {
        int before = blocks.NumUsed;
        foreach (Sequence s in _running)
        {
            if (s.NumDrafts == 0)
                continue;
            s.CutDrafts(0);
            blocks.Trim(s.Blocks, s.NumTokens);
        }

        return blocks.NumUsed < before;
    }

    /// <summary>A page for the sequence's next token, if need be from drafts, then from those that came later; from itself last.</summary>
    private bool TryMakeRoom(Sequence s)
    {
        while (!blocks.TryGrow(s.Blocks, s.NumTokens))
        {
            if (DropDrafts())
                continue;
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
        s.CutDrafts(0);
        s.Draft.ContextStart = -1;
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
        long root = CacheRoot(s.Request);
        int numUnreferenced = 0;
        int numCached = Shares(s) && !s.CollectsPromptLogProbs && s.Request.Pool is not { NeedsEveryToken: true } ? blocks.FindPrefix(s.Tokens, root, out numUnreferenced) : 0;
        if (blocks.BlocksFor(s.NumTokens) - numCached > spare - numUnreferenced)
            return false;
        blocks.AdoptPrefix(s.Blocks, root, numCached);
        bool grown = blocks.TryGrow(s.Blocks, s.NumTokens);
        Debug.Assert(grown, "counted before");
        s.NumComputedTokens = numCached * blocks.BlockSize;
        _waiting.Start(s);
        s.State = SequenceState.Running;
        int at = _running.Count;
        while (at > 0 && s.IsBefore(_running[at - 1]))
            at--;
        _running.Insert(at, s);
        return true;
    }

    /// <summary>Where the prefix cache begins for a request: without caching a place of its own; else one that all share who have the same adapter, since keys and values depend on it.</summary>
    private long CacheRoot(Request request) => !options.EnablePrefixCaching ? -request.Order : request.Adapter == 0 ? 0 : long.MinValue + request.Adapter;

    /// <summary>Without prefix caching only the choices of one request share pages, under a root of their own.</summary>
    private bool Shares(Sequence s) => options.EnablePrefixCaching || s.Request.Sequences.Length > 1;
}
