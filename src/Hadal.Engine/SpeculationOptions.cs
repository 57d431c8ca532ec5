using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>How tokens are guessed before the model computes them, so that one step verifies several (docs/speculation.md).</summary>
public sealed record SpeculationOptions
{
    /// <summary>Most drafts of a sequence in a step, whatever is asked for.</summary>
    public const int MaxDraftTokensLimit = 16;

    public required SpeculationMethod Method { get; init; }

    /// <summary>Drafts of a sequence in a step at the most; fewer where <see cref="Adaptive"/> finds that they do not pay.</summary>
    public int MaxDraftTokens { get; init; } = 3;

    /// <summary>Drafts of all sequences in a step at the most: each has a row of logits, and a row of a 129k vocabulary is half a megabyte.</summary>
    public int MaxDraftTokensPerStep { get; init; } = 128;

    /// <summary>Let measured step times and acceptance decide how many drafts are made, none at all included. Off: always as many as may be.</summary>
    public bool Adaptive { get; init; } = true;

    /// <summary>
    /// Null: lossless. Else a draft is taken, though sampling chose another token, where its probability is at least this share of the most likely
    /// token's, both after biases, penalties and bans and before temperature. Changes what is answered.
    /// </summary>
    public float? Relaxed { get; init; }

    /// <summary>Fewest tokens that must agree for <see cref="SpeculationMethod.Ngram"/>.</summary>
    public int MinNgram { get; init; } = 2;

    /// <summary>Most tokens that are looked for; the longest agreement wins.</summary>
    public int MaxNgram { get; init; } = 4;

    /// <summary>
    /// The model of <see cref="SpeculationMethod.DraftModel"/>: the vocabulary, page size and number of pages of the main one, whose block tables it is
    /// given. The engine owns it and disposes it.
    /// </summary>
    public IModelRunner? DraftModel { get; init; }

    internal void Validate(IModelRunner runner)
    {
        if (MaxDraftTokens is < 1 or > MaxDraftTokensLimit)
            throw new HadalException($"{nameof(MaxDraftTokens)} is {MaxDraftTokens}; it must be from 1 to {MaxDraftTokensLimit}.");
        if (MaxDraftTokensPerStep < 1)
            throw new HadalException($"{nameof(MaxDraftTokensPerStep)} is {MaxDraftTokensPerStep}; it must be at least 1.");
        if (Relaxed is { } share && !(share > 0f && share <= 1f))
            throw new HadalException($"{nameof(Relaxed)} is {share}; it must be above 0 and at most 1.");
        if (MinNgram < 1 || MaxNgram < MinNgram)
            throw new HadalException($"{nameof(MinNgram)} is {MinNgram} and {nameof(MaxNgram)} is {MaxNgram}; the first must be at least 1 and the second no less.");
        if (Method == SpeculationMethod.Mtp && runner is not IMtpRunner { HasMtp: true })
            throw new HadalException("Speculation by multi-token prediction needs a model loaded with its MTP layer. Load a checkpoint that has one, with LoadOptions.Mtp, on the CPU; or choose another method.");
        if ((Method == SpeculationMethod.DraftModel) != (DraftModel is not null))
            throw new HadalException(Method == SpeculationMethod.DraftModel ? $"Speculation by a draft model needs one: set {nameof(DraftModel)}." : $"{nameof(DraftModel)} is set, but the method is {Method}.");
        if (DraftModel is not { } draft)
            return;
        if (draft.VocabSize != runner.VocabSize)
            throw new HadalException($"The draft model has a vocabulary of {draft.VocabSize} and the model one of {runner.VocabSize}: ids would not mean the same. Choose a draft model with the model's own tokenizer.");
        if (draft.BlockSize != runner.BlockSize || draft.NumBlocks < runner.NumBlocks)
            throw new HadalException($"The draft model has {draft.NumBlocks} KV pages of {draft.BlockSize} tokens and the model {runner.NumBlocks} of {runner.BlockSize}: it is given the model's block tables, so it needs as many of the same size.");
    }
}
