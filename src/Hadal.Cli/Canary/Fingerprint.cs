namespace Hadal.Cli.Canary;

/// <summary>What a model said to a fixed prompt, to be compared with what it says later: another build, machine, type or a damaged file shows.</summary>
internal sealed record Fingerprint
{
    public const string CurrentFormat = "hadal-canary-1";

    public required string Format { get; init; }

    public required string ModelType { get; init; }

    public required int VocabSize { get; init; }

    public required int NumHiddenLayers { get; init; }

    /// <summary>--dtype, --weight-dtype and --kv-dtype that it was taken with.</summary>
    public required string Dtype { get; init; }

    public required string Prompt { get; init; }

    /// <summary>The prompt as the tokenizer cut it.</summary>
    public required IReadOnlyList<int> Tokens { get; init; }

    public required IReadOnlyList<FingerprintPlace> Places { get; init; }
}
