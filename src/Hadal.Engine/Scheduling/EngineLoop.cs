using Hadal.Engine.Paging;
using Hadal.Engine.Requests;
using Hadal.Engine.Sampling;
using Hadal.Engine.Speculation;
using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Engine.Scheduling;

/// <summary>The engine's step: schedule, run, update. Everything here happens on one thread, whoever's it is; callers reach it through the <see cref="Inbox"/>.</summary>
internal sealed partial class EngineLoop : IDisposable
{
    private readonly IModelRunner _runner;
    private readonly DeviceSampling? _onDevice;
    private readonly EngineOptions _options;
    private readonly Inbox _inbox;
    private readonly TimeProvider _time;
    private readonly IEngineObserver? _observer;
    private readonly BlockManager _blocks;
    private readonly Scheduler _scheduler;
    private readonly Sampler _sampler;
    private readonly Speculator? _speculator;
    private readonly StepBatch _batch;
    private readonly List<Request> _arrivals = [];
    private readonly List<Request> _cancellations = [];
    private readonly List<Request> _shed = [];
    private readonly HashSet<Request> _requests = [];
    private long _lastOrder;

    // Written by the loop only and read by anyone: aligned 64-bit values, so a reader sees an old count or a new one.
    private long _numPromptTokens;
    private long _numCachedTokens;
    private long _numGeneratedTokens;
    private long _numSteps;
    private long _stepTicks;
    private long _numFinished;
    private long _numCancelled;
    private long _numFailed;
    private long _numDropped;

    public EngineLoop(IModelRunner runner, EngineOptions options, Inbox inbox)
    {
        _runner = runner;
        _onDevice = runner is ISamplingRunner sampling ? new DeviceSampling(sampling, options.Speculation?.Relaxed) : null;
        _options = options;
        _inbox = inbox;
        _time = options.TimeProvider;
        _observer = options.Observer;
        _blocks = new BlockManager(runner.NumBlocks, runner.BlockSize);
        _scheduler = new Scheduler(options, _blocks);
        _sampler = new Sampler(runner.VocabSize);
        _batch = new StepBatch(runner.BlockSize);
        _speculator = options.Speculation is { } speculation ? new Speculator(runner, options, speculation, _blocks, _sampler) : null;
    }

    internal BlockManager Blocks => _blocks;

    /// <returns>False if there was nothing to compute.</returns>
    public bool Step()
    {
        TakeIn();
        if (!_scheduler.Schedule())
            return false;
        long start = _time.GetTimestamp();
        if (TryRun(out ReadOnlySpan<float> logits))
        {
            Update(_scheduler.Scheduled, logits);
            // Tokens are on their way before the next ones are guessed.
            _speculator?.Draft(_scheduler.Scheduled, _time.GetTimestamp() - start);
        }

        _inbox.NumFreePlaces = _scheduler.NumFreePlaces;
        return true;
    }

    /// <summary>Ends every request, those not yet taken in too.</summary>
    public void FinishAll(FinishReason reason, string? error)
    {
        TakeIn();
        foreach (Request request in _requests.ToArray())
        {
            try
            {
                FinishRequest(request, reason, error);
            }
            catch (Exception e)
            {
                // The engine is going down, perhaps because an observer throws: every reader must still be woken.
                request.Writer.TryComplete(e);
            }
        }
    }

    public EngineStats GetStats() => new()
    {
        Running = _scheduler.NumRunning,
        Waiting = Math.Max(_scheduler.NumWaiting, _inbox.NumQueued),
        KvBlocksTotal = _blocks.NumBlocks,
        KvBlocksUsed = _blocks.NumUsed,
        KvBlocksCached = _blocks.NumCached,
        PromptTokens = Volatile.Read(ref _numPromptTokens),
        CachedPromptTokens = Volatile.Read(ref _numCachedTokens),
        GeneratedTokens = Volatile.Read(ref _numGeneratedTokens),
        Steps = Volatile.Read(ref _numSteps),
        Preemptions = _scheduler.NumPreemptions,
        RequestsFinished = Volatile.Read(ref _numFinished),
        RequestsCancelled = Volatile.Read(ref _numCancelled),
        RequestsFailed = Volatile.Read(ref _numFailed),
        RequestsDropped = Volatile.Read(ref _numDropped),
        Speculation = _speculator?.GetStats(),
        StepSeconds = Volatile.Read(ref _stepTicks) / (double)_time.TimestampFrequency,
    };

    public void Dispose()
    {
        _batch.Dispose();
        _speculator?.Dispose();
    }

    /// <summary>Cancellations take effect here, so their pages are free before the next step is scheduled.</summary>
    private void TakeIn()
    {
        _inbox.Take(_arrivals, _cancellations, _shed);
        foreach (Request request in _arrivals)
        {
            request.Order = ++_lastOrder;
            _requests.Add(request);
            _scheduler.Join(request);
            NoteDeadline(request);
            _scheduler.Enqueue(request.Sequences[0]);
        }

        foreach (Request request in _cancellations)
            FinishRequest(request, FinishReason.Cancelled, error: null);
        DropShed();
        DropOverdue();
        _arrivals.Clear();
        _cancellations.Clear();
        _shed.Clear();
        _inbox.NumFreePlaces = _scheduler.NumFreePlaces;
    }

    private bool TryRun(out ReadOnlySpan<float> logits)
    {
        long start = _time.GetTimestamp();
        NoteStarts(start);
        try
        {
            logits = Run(_scheduler.Scheduled);
        }
        catch (Exception e)
        {
            // The edge of a step: whatever the runner met, who caused it ends with it and the engine goes on with the others.
            EngineLog.StepFailed(_options.Logger, e, _scheduler.NumScheduled, _batch.NumTokens);
            RunApart(e);
            logits = default;
            return false;
        }

        long end = _time.GetTimestamp();
        _numSteps++;
        _stepTicks += end - start;
        _observer?.OnStep(_time.GetElapsedTime(start, end), _batch.NumTokens, _batch.NumSequences);
        return true;
    }

    private ReadOnlySpan<float> Run(ReadOnlySpan<Sequence> sequences)
    {
        _scheduler.Fill(_batch, sequences);
        if (_onDevice is not null)
        {
            _onDevice.Run(_batch, sequences);
            return default;
        }

        ReadOnlySpan<float> logits = _runner.Run(_batch);
        if (logits.Length != _batch.NumLogitRows * _runner.VocabSize)
            throw new HadalException($"The runner gave {logits.Length} logits; {_batch.NumLogitRows} rows of {_runner.VocabSize} were expected.");
        return logits;
    }

    private void Update(ReadOnlySpan<Sequence> sequences, ReadOnlySpan<float> logits)
    {
        foreach (Sequence s in sequences)
        {
            try
            {
                if (s.Request.Pool is { } pool)
                    AdvanceEmbedding(s, pool);
                else
                    Advance(s, logits);
            }
            catch (Exception e)
            {
                // The edge of a sequence: bad logits or a failing decoder end this answer alone.
                EngineLog.SequenceFailed(_options.Logger, e, s.Request.Id, s.ChoiceIndex);
                Finish(s, FinishReason.Error, error: e.Message);
            }
        }
    }

    private void Advance(Sequence s, ReadOnlySpan<float> logits)
    {
        Request request = s.Request;
        int row = s.FirstLogitRow;
        if (s.CollectsPromptLogProbs)
        {
            CollectPromptLogProbs(s, Rows(logits, row, s.NumScheduledTokens), _runner.VocabSize);
            row += s.NumScheduledTokens - 1;
        }

        int numDrafts = s.NumScheduledDrafts;
        _scheduler.MarkComputed(s, s.NumScheduledTokens - numDrafts);
        if (s.NumPendingTokens > 0)
            return;
        ReleaseSiblings(request);
        if (request.MaxTokens == 0)
        {
            Finish(s, FinishReason.Length);
            return;
        }

        // Each row chooses as it would if its token had come in a step of its own. As long as that is the draft, the row behind it is the next one's too.
        s.NoteDrafted(numDrafts);
        int numAccepted = 0;
        bool isDraft;
        do
        {
            if (numAccepted > 0)
                _scheduler.MarkComputed(s, 1);
            int draft = numAccepted < numDrafts ? s.DraftAt(0) : -1;
            int token = Choose(s, logits, row + numAccepted, draft, out TokenLogProb? logProb);
            isDraft = token == draft;
            if (isDraft)
            {
                numAccepted++;
                s.NoteAccepted();
            }

            s.Append(token);
            NoteToken(s);
            EmitToken(s, token, logProb);
        }
        while (isDraft && s.State != SequenceState.Finished);

        if (numDrafts > 0)
            _speculator!.NoteVerified(s.Draft, numDrafts, numAccepted);
    }

    private int Choose(Sequence s, ReadOnlySpan<float> logits, int row, int draft, out TokenLogProb? logProb)
    {
        logProb = null;
        if (_onDevice is not null && _onDevice.TryGetToken(row, out int token))
            return token;
        ReadOnlySpan<float> values = Rows(logits, row, 1);
        token = _sampler.Sample(values, s.Sampling);
        if (draft >= 0 && token != draft && _speculator!.Relaxed is { } share && _sampler.IsNearBest(values, s.Sampling, draft, share))
            token = draft;
        if (s.Request.Parameters.LogProbs is { } numTop)
            logProb = _sampler.LogProbs(values, token, numTop);
        return token;
    }

    private ReadOnlySpan<float> Rows(ReadOnlySpan<float> logits, int first, int count)
        => _onDevice is null ? logits.Slice(first * _runner.VocabSize, count * _runner.VocabSize) : _onDevice.FetchLogits(first, count);

    private void EmitToken(Sequence s, int token, TokenLogProb? logProb)
    {
        bool mayEnd = s.Sampling.MayEnd;
        FinishReason? reason = null;
        string text = "";
        if (mayEnd && s.Sampling.IsEnd(token))
            reason = FinishReason.Stop; // the token ends the text and is no part of it
        else if (s.Decoder is not null)
            text = Filter(s, s.Decoder.Append(token), mayEnd);
        // Where nothing may follow, the text ends with this token in it, whatever min_tokens says.
        if (reason is null && s.Sampling.Constraint is { IsComplete: true })
            reason = FinishReason.Stop;
        if (reason is null && s.StopFilter?.Found is null && s.NumGeneratedTokens >= s.Request.MaxTokens)
            reason = FinishReason.Length;
        if (reason is not null && s.Decoder is not null)
        {
            text += Filter(s, s.Decoder.Flush(), mayEnd);
            if (s.StopFilter is { Found: null } filter)
                text += filter.Flush();
        }

        string? stopString = s.StopFilter?.Found;
        if (stopString is not null)
            reason = FinishReason.Stop;
        if (reason is { } why)
            Finish(s, why, token, text, logProb, stopString);
        else
            Emit(s, token, text, logProb);
    }

    private static string Filter(Sequence s, string text, bool mayStop)
        => s.StopFilter is null || text.Length == 0 ? text : s.StopFilter.Append(text, mayStop);

    private void CollectPromptLogProbs(Sequence s, ReadOnlySpan<float> rows, int vocabSize)
    {
        // The logits of a token speak about the next one; the prompt's first has none before it.
        Request request = s.Request;
        int numTop = request.Parameters.PromptLogProbs.GetValueOrDefault();
        int numPromptTokens = request.PromptTokens.Length;
        for (int i = 0; i < s.NumScheduledTokens; i++)
        {
            int next = s.NumComputedTokens + i + 1;
            if (next == numPromptTokens)
            {
                request.HasPromptLogProbs = true;
                return;
            }

            request.PromptLogProbs![next] = _sampler.LogProbs(rows.Slice(i * vocabSize, vocabSize), request.PromptTokens[next], numTop);
        }
    }

    /// <summary>The prompt is computed: the other choices may start, finding all its full blocks in the cache.</summary>
    private void ReleaseSiblings(Request request)
    {
        for (int i = 1; i < request.Sequences.Length && request.Sequences[i].State == SequenceState.Held; i++)
            _scheduler.Enqueue(request.Sequences[i]);
    }

    private void NoteStarts(long now)
    {
        foreach (Sequence s in _scheduler.Scheduled)
        {
            Request request = s.Request;
            if (request.HasStarted)
                continue;
            request.HasStarted = true;
            request.NumCachedTokens = s.NumComputedTokens;
            _inbox.Unqueue(request);
            _numPromptTokens += request.PromptTokens.Length;
            _numCachedTokens += request.NumCachedTokens;
            _observer?.OnStarted(_time.GetElapsedTime(request.SubmittedTimestamp, now), request.PromptTokens.Length, request.NumCachedTokens);
        }
    }

    private void NoteToken(Sequence s)
    {
        Request request = s.Request;
        _numGeneratedTokens++;
        request.NumGeneratedTokens++;
        if (_observer is null)
            return;
        long now = _time.GetTimestamp();
        if (!request.HasFirstToken)
            _observer.OnFirstToken(_time.GetElapsedTime(request.SubmittedTimestamp, now));
        else if (s.NumGeneratedTokens > 1)
            _observer.OnNextToken(_time.GetElapsedTime(s.LastTokenTimestamp, now));
        request.HasFirstToken = true;
        s.LastTokenTimestamp = now;
    }

    private void FinishRequest(Request request, FinishReason reason, string? error)
    {
        foreach (Sequence s in request.Sequences)
            Finish(s, reason, error: error);
    }

    /// <summary>Ends a choice, once: frees its pages and sends its last event; with the last choice the request ends.</summary>
    private void Finish(Sequence s, FinishReason reason, int token = -1, string text = "", TokenLogProb? logProb = null, string? stopString = null, string? error = null, float[]? embedding = null)
    {
        if (s.State == SequenceState.Finished)
            return;
        _scheduler.Remove(s);
        if (reason != FinishReason.Dropped)
            Emit(s, token, text, logProb, reason, stopString, error, embedding);
        Request request = s.Request;
        request.Outcome = request.Outcome > reason ? request.Outcome : reason;
        if (--request.NumUnfinished > 0)
        {
            // The first choice may fail before its prompt is computed (bad logits of a prompt token); the others still have to start.
            if (reason == FinishReason.Error)
                ReleaseSiblings(request);
            return;
        }

        EndRequest(request);
    }

    private void EndRequest(Request request)
    {
        _requests.Remove(request);
        _scheduler.Leave(request);
        if (!request.HasStarted)
            _inbox.Unqueue(request);
        if (request.Outcome == FinishReason.Error)
            _numFailed++;
        else if (request.Outcome == FinishReason.Cancelled)
            _numCancelled++;
        else if (request.Outcome == FinishReason.Dropped)
            _numDropped++;
        else
            _numFinished++;
        request.Writer.TryComplete(request.DroppedBy);
        var usage = new TokenUsage(request.PromptTokens.Length, request.NumGeneratedTokens, request.NumCachedTokens)
        {
            AcceptedPredictionTokens = request.NumAcceptedTokens,
            RejectedPredictionTokens = request.NumDraftedTokens - request.NumAcceptedTokens,
        };
        _observer?.OnFinished(request.Outcome, usage, _time.GetElapsedTime(request.SubmittedTimestamp));
        EngineLog.RequestFinished(_options.Logger, request.Id, request.Outcome, usage.PromptTokens, usage.CachedTokens, usage.CompletionTokens);
    }

    private static void Emit(Sequence s, int token, string text, TokenLogProb? logProb, FinishReason? reason = null, string? stopString = null, string? error = null, float[]? embedding = null)
    {
        Request request = s.Request;
        request.Writer.TryWrite(new GenerationEvent
        {
            ChoiceIndex = s.ChoiceIndex,
            TokenId = token,
            Text = text,
            LogProb = logProb,
            PromptLogProbs = request.HasPromptLogProbs && !request.HasEmitted ? request.PromptLogProbs : null,
            FinishReason = reason,
            StopString = stopString,
            Error = error,
            Embedding = embedding,
            Usage = new TokenUsage(request.PromptTokens.Length, s.NumGeneratedTokens, request.NumCachedTokens)
            {
                AcceptedPredictionTokens = s.Draft.NumAccepted,
                RejectedPredictionTokens = s.Draft.NumDrafted - s.Draft.NumAccepted,
            },
        });
        request.HasEmitted = true;
    }
}
