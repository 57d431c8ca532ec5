namespace Hadal.Engine;

/// <summary>How the next token is chosen and when a text ends. Defaults are the OpenAI API's. Checked by <c>Validate</c> at admission.</summary>
public sealed record SamplingParams
{
    /// <summary>0 is greedy: the largest logit, the lowest id among equals.</summary>
    public float Temperature { get; init; } = 1f;

    /// <summary>Keep the k most likely; 0 for all.</summary>
    public int TopK { get; init; }

    /// <summary>Keep the smallest set of most likely tokens whose probabilities reach this; 1 for all.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>Drop tokens less likely than this share of the most likely one.</summary>
    public float MinP { get; init; }

    /// <summary>Divides positive and multiplies negative logits of tokens seen in prompt or answer (arXiv:1909.05858); 1 for none.</summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Subtracted from a logit once per time its token stands in the answer.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Subtracted from a logit once if its token stands in the answer.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Added to logits, by token id.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Same seed, prompt, parameters and model give the same tokens, whatever else runs; null for a fresh one.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Tokens of the answer at the most; null for as many as the context holds.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>No end before this many tokens.</summary>
    public int MinTokens { get; init; }

    /// <summary>Strings that end the text; they are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Ids that end the text, besides the model's own end tokens.</summary>
    public IReadOnlyList<int> StopTokenIds { get; init; } = [];

    /// <summary>Go on past the model's end tokens (benchmarks).</summary>
    public bool IgnoreEos { get; init; }

    /// <summary>Null: no log-probabilities. n: the chosen token's and those of the n most likely ones (of the raw model distribution).</summary>
    public int? LogProbs { get; init; }

    /// <summary>As <see cref="LogProbs"/>, for the tokens of the prompt.</summary>
    public int? PromptLogProbs { get; init; }

    /// <summary>Answers to give to the same prompt, which is computed once.</summary>
    public int N { get; init; } = 1;

    /// <summary>Leave special tokens out of the text.</summary>
    public bool SkipSpecialTokens { get; init; } = true;
}
