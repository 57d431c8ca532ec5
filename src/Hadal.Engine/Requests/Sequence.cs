using Hadal.Engine.Paging;
using Hadal.Engine.Sampling;
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
        Sampling = new SamplingState(request.Parameters, request.Seed, choiceIndex, request.EndIds, request.PromptTokens);
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

    /// <summary>Share of the step at hand.</summary>
    public int NumScheduledTokens { get; set; }

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

    public void Append(int token)
    {
        if (NumTokens == _tokens.Length)
            Array.Resize(ref _tokens, (int)Math.Min(2L * NumTokens, Math.Max(NumTokens + 1, Request.PromptTokens.Length + (long)Request.MaxTokens)));
        _tokens[NumTokens++] = token;
        Sampling.Add(token);
    }

    /// <summary>Order of arrival, then of choice: who comes first keeps its pages longest.</summary>
    public bool IsBefore(Sequence other) => Request.Order != other.Request.Order
        ? Request.Order < other.Request.Order
        : ChoiceIndex < other.ChoiceIndex;
}
