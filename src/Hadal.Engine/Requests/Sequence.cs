using Hadal.Engine.Constraints;
using Hadal.Engine.Paging;
using Hadal.Engine.Sampling;
using Hadal.Engine.Speculation;
using Hadal.Engine.Stopping;

namespace Hadal.Engine.Requests;

/// <summary>
/// One answer being made: its tokens, how many of them the pages hold, and what turns them into text.
/// There is no prefill or decode mode: <see cref="NumPendingTokens"/> are to be computed, and when none are, the next is sampled. Touched only by the engine's thread.
/// </summary>
internal sealed class Sequence
{
    private int[] _tokens;

    public Sequence(Request request, int choiceIndex)
    {
        Request = request;
        ChoiceIndex = choiceIndex;
        // A copy each: prompt and answer must lie in one piece, since a chunk of a recomputed sequence may span both.
        // The other choices get theirs when they start.
        _tokens = choiceIndex == 0 ? [.. request.PromptTokens] : [];
        NumTokens = request.PromptTokens.Length;
        Sampling = new SamplingState(request.Parameters, request.Seed, choiceIndex, request.EndIds, request.PromptTokens, request.CreateConstraint?.Invoke());
        Decoder = request.CreateDecoder?.Invoke(request.Parameters.SkipSpecialTokens);
        StopFilter = request.StopStrings is null ? null : new StopStringFilter(request.StopStrings);
    }

    public Request Request { get; }

    public int ChoiceIndex { get; }

    public SequenceState State { get; set; }

    public BlockTable Blocks { get; } = new();

    public SamplingState Sampling { get; }

    public ITextDecoder? Decoder { get; }

    public StopStringFilter? StopFilter { get; }

    public int NumTokens { get; private set; }

    /// <summary>Leading tokens whose keys and values the pages hold.</summary>
    public int NumComputedTokens { get; set; }

    public int NumPendingTokens => NumTokens - NumComputedTokens;

    public int NumGeneratedTokens => NumTokens - Request.PromptTokens.Length;

    /// <summary>Share of the step at hand, drafts included.</summary>
    public int NumScheduledTokens { get; set; }

    /// <summary>Tokens guessed to come next, for the next step to verify. They lie behind <see cref="NumTokens"/> and are none of the sequence's until then.</summary>
    public int NumDrafts { get; private set; }

    /// <summary>Drafts among the tokens of the step at hand.</summary>
    public int NumScheduledDrafts { get; set; }

    /// <summary>What speculation knows of this sequence.</summary>
    public DraftState Draft { get; } = new();

    /// <summary>First position of the step at hand, and the row of the step that computes it.</summary>
    public int StepStart { get; private set; }

    public int StepRow { get; private set; }

    /// <summary>First logit row in the step at hand; -1 for none.</summary>
    public int FirstLogitRow { get; set; }

    /// <summary>While set, every prompt token's logits are wanted: of the first choice of a request that asked for prompt log-probabilities, until it has them.</summary>
    public bool CollectsPromptLogProbs => ChoiceIndex == 0 && Request.PromptLogProbs is not null && !Request.HasPromptLogProbs;

    public long LastTokenTimestamp { get; set; }

    /// <summary>Links of the waiting queue.</summary>
    public Sequence? Previous { get; set; }

    public Sequence? Next { get; set; }

    public ReadOnlySpan<int> Tokens
    {
        get
        {
            if (_tokens.Length == 0)
                _tokens = [.. Request.PromptTokens];
            return _tokens.AsSpan(0, NumTokens);
        }
    }

    /// <summary>The tokens [start, end), where the end may lie among the drafts.</summary>
    public ReadOnlySpan<int> TokensAndDrafts(int start, int end)
    {
        _ = Tokens; // laid out
        return _tokens.AsSpan(start, end - start);
    }

    public int DraftAt(int index) => _tokens[NumTokens + index];

    public void Append(int token)
    {
        Reserve(NumTokens + 1);
        _tokens[NumTokens++] = token;
        Sampling.Add(token);
    }

    /// <summary>
    /// Adds a draft, unless it cannot come next. Draft limits are kept by the caller; where nothing can follow, the limit is lowered.
    /// A constraint has accepted the drafts until <see cref="EndDrafting"/>.
    /// </summary>
    public bool TryAddDraft(int token)
    {
        if (Sampling.Constraint is { } constraint)
        {
            if (constraint.IsComplete || (constraint.IsActive && !TokenMask.IsAllowed(constraint.Mask(), token)))
            {
                Draft.Limit = NumDrafts;
                return false;
            }

            constraint.Accept(token);
            Draft.NumTentative++;
        }

        Reserve(NumTokens + NumDrafts + 1);
        _tokens[NumTokens + NumDrafts++] = token;
        if (Sampling.IsEnd(token))
            Draft.Limit = NumDrafts;
        return true;
    }

    /// <summary>All drafts are made: the constraint goes back to the tokens that are certain.</summary>
    public void EndDrafting()
    {
        if (Draft.NumTentative > 0)
            Sampling.Constraint!.Rollback(Draft.NumTentative);
        Draft.NumTentative = 0;
    }

    /// <summary>Counts drafts that a step verifies.</summary>
    public void NoteDrafted(int numDrafts)
    {
        Draft.NumDrafted += numDrafts;
        Request.NumDraftedTokens += numDrafts;
    }

    /// <summary>Counts a draft that becomes a token.</summary>
    public void NoteAccepted()
    {
        Draft.NumAccepted++;
        Request.NumAcceptedTokens++;
    }

    /// <summary>Notes where the sequence's share lies in the step.</summary>
    public void PlaceInStep(int row) => (StepStart, StepRow) = (NumComputedTokens, row);

    /// <summary>Forgets the drafts from the given one on.</summary>
    public void CutDrafts(int keep) => NumDrafts = Math.Min(NumDrafts, keep);

    /// <summary>The queue it waits in; null while it does not.</summary>
    public Scheduling.SequenceQueue? Queue { get; set; }

    /// <summary>Order of arrival, moved by class, then of choice: who comes first keeps its pages longest.</summary>
    public bool IsBefore(Sequence other) => Request.AgedRank != other.Request.AgedRank
        ? Request.AgedRank < other.Request.AgedRank
        : Request.Order != other.Request.Order
        ? Request.Order < other.Request.Order
        : ChoiceIndex < other.ChoiceIndex;

    private void Reserve(int numTokens)
    {
        if (numTokens > _tokens.Length)
            Array.Resize(ref _tokens, (int)Math.Min(2L * numTokens, Math.Max(numTokens, Request.PromptTokens.Length + (long)Request.MaxTokens)));
    }
}
