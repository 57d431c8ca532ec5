using Hadal.Engine.Paging;
using Hadal.Engine.Requests;
using Hadal.Engine.Sampling;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Speculation;

/// <summary>The engine's side of speculation: who gets drafts and how many, pages for them, and the counts. Everything but <see cref="GetStats"/> is on the engine's thread.</summary>
internal sealed class Speculator : IDisposable
{
    private readonly SpeculationOptions _options;
    private readonly EngineOptions _engine;
    private readonly BlockManager _blocks;
    private readonly IDrafter _drafter;
    private readonly DraftLengthPolicy _policy = new();
    private readonly Sequence[] _alive;
    private readonly Sequence[] _decoding;
    private readonly int _maxContextLen;
    private readonly long[] _drafted;
    private readonly long[] _accepted;
    private long _draftTicks;
    private bool _hasFailed;

    // Drafts did not pay when last asked: prompts need not go through the drafter either.
    private bool _isResting;

    public Speculator(IModelRunner runner, EngineOptions engine, SpeculationOptions options, BlockManager blocks, Sampler sampler)
    {
        _options = options;
        _engine = engine;
        _blocks = blocks;
        _maxContextLen = runner.MaxContextLen;
        _alive = new Sequence[engine.MaxRunning];
        _decoding = new Sequence[engine.MaxRunning];
        _drafted = new long[options.MaxDraftTokens];
        _accepted = new long[options.MaxDraftTokens];
        _drafter = options.Method switch
        {
            SpeculationMethod.Ngram => new NgramDrafter(options.MinNgram, options.MaxNgram),
            SpeculationMethod.Mtp => new MtpDrafter((IMtpRunner)runner, sampler, engine.MaxRunning),
            _ => new ModelDrafter(options.DraftModel!, sampler, engine.MaxRunning, engine.MaxBatchedTokens),
        };
    }

    public float? Relaxed => _options.Relaxed;

    public SpeculationStats GetStats()
    {
        var drafted = new long[_drafted.Length];
        var accepted = new long[_accepted.Length];
        for (int i = 0; i < drafted.Length; i++)
        {
            // In this order, so that no more seem accepted than drafted.
            accepted[i] = Volatile.Read(ref _accepted[i]);
            drafted[i] = Volatile.Read(ref _drafted[i]);
        }

        return new(drafted, accepted, Volatile.Read(ref _draftTicks) / (double)_engine.TimeProvider.TimestampFrequency, Volatile.Read(ref _hasFailed));
    }

    /// <summary>A step verified a sequence's drafts: so many of them became tokens.</summary>
    public void NoteVerified(DraftState state, int drafted, int accepted)
    {
        for (int i = 0; i < drafted; i++)
            _drafted[i]++;
        for (int i = 0; i < accepted; i++)
            _accepted[i]++;
        _policy.NoteVerified(state, drafted, accepted);
    }

    /// <summary>Makes drafts for the next step.</summary>
    /// <param name="scheduled">The sequences of the step that was.</param>
    /// <param name="stepTicks">What it took, sampling included.</param>
    public void Draft(ReadOnlySpan<Sequence> scheduled, long stepTicks)
    {
        if (_hasFailed)
            return;
        NoteStep(scheduled, stepTicks);
        int numAlive = 0;
        int numDecoding = 0;
        foreach (Sequence s in scheduled)
        {
            s.CutDrafts(0);
            // Whose hidden states are wanted gets no token to guess.
            if (s.State != SequenceState.Running || s.Request.Pool is not null)
                continue;
            s.Draft.Limit = 0;
            _alive[numAlive++] = s;
            if (s.NumPendingTokens == 1 && s.NumGeneratedTokens > 0)
                _decoding[numDecoding++] = s;
        }

        if (numAlive == 0)
            return;
        long start = _engine.TimeProvider.GetTimestamp();
        try
        {
            Draft(_alive.AsSpan(0, numAlive), _decoding.AsSpan(0, numDecoding), start);
        }
        catch (Exception e)
        {
            // The edge of a guess: requests go on without it. Once is enough to know that it would fail again.
            EngineLog.DrafterFailed(_engine.Logger, e, _options.Method);
            Volatile.Write(ref _hasFailed, true);
            foreach (Sequence s in _alive.AsSpan(0, numAlive))
                s.CutDrafts(0);
        }

        foreach (Sequence s in _decoding.AsSpan(0, numDecoding))
        {
            s.EndDrafting();
            _blocks.Trim(s.Blocks, s.NumTokens + s.NumDrafts);
        }

        _draftTicks += _engine.TimeProvider.GetTimestamp() - start;
    }

    public void Dispose() => _drafter.Dispose();

    private void Draft(ReadOnlySpan<Sequence> alive, ReadOnlySpan<Sequence> decoding, long start)
    {
        int max = decoding.Length == 0 ? 0 : Math.Min(_options.MaxDraftTokens, _options.MaxDraftTokensPerStep / decoding.Length);
        foreach (Sequence s in decoding)
        {
            // The step gives one token more than drafts; the answer has to have room for it.
            s.Draft.Limit = Math.Max(0, Math.Min(max, Math.Min(s.Request.MaxTokens - s.NumGeneratedTokens - 1, _maxContextLen - s.NumTokens)));
        }

        if (_drafter.IsFree)
        {
            _drafter.Draft(alive);
            foreach (Sequence s in decoding)
                s.Draft.Limit = s.NumDrafts;
        }

        bool isRefresh = false;
        int chosen = max == 0 || !_options.Adaptive ? max : _policy.Choose(decoding, max, out isRefresh);
        bool any = false;
        foreach (Sequence s in decoding)
        {
            int limit = Math.Min(s.Draft.Limit, chosen);
            limit = limit > 0 && _options.Adaptive ? _policy.LengthFor(s.Draft, limit) : limit;
            s.Draft.Limit = limit > 0 && _blocks.TryGrow(s.Blocks, s.NumTokens + limit) ? limit : 0;
            s.CutDrafts(s.Draft.Limit);
            any |= s.Draft.Limit > 0;
        }

        if (_drafter.IsFree)
            return;
        if (decoding.Length > 0)
            _isResting = chosen == 0 && !isRefresh;
        if (_isResting)
        {
            _drafter.Skip(alive);
            return;
        }

        _drafter.Draft(alive);
        int depth = 0;
        foreach (Sequence s in decoding)
            depth = Math.Max(depth, s.NumDrafts);
        if (any && depth > 0 && decoding.Length == alive.Length)
            _policy.NoteDrafting(decoding.Length, depth, _engine.TimeProvider.GetTimestamp() - start);
    }

    /// <summary>Steps that also computed prompts say nothing about decoding.</summary>
    private void NoteStep(ReadOnlySpan<Sequence> scheduled, long ticks)
    {
        int rows = 0;
        foreach (Sequence s in scheduled)
        {
            if (s.NumScheduledTokens - s.NumScheduledDrafts != 1)
                return;
            rows += s.NumScheduledTokens;
        }

        _policy.NoteStep(rows, ticks);
    }
}
