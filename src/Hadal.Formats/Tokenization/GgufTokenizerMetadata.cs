namespace Hadal.Formats.Tokenization;

/// <summary>The <c>tokenizer.ggml.*</c> metadata of a GGUF file, as it stands there; checked by <see cref="TokenizerLoader.FromGguf"/>.</summary>
public sealed record GgufTokenizerMetadata
{
    /// <summary>tokenizer.ggml.model: <c>gpt2</c> is byte-level BPE.</summary>
    public required string Model { get; init; }

    /// <summary>tokenizer.ggml.pre: the pre-tokenizer's name.</summary>
    public string? Pre { get; init; }

    /// <summary>tokenizer.ggml.tokens, by id.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary>tokenizer.ggml.merges: two tokens with a space between them, in order of rank.</summary>
    public required IReadOnlyList<string> Merges { get; init; }

    /// <summary>tokenizer.ggml.token_type, by id: 1 normal, 2 unknown, 3 control, 4 user defined, 5 unused, 6 byte.</summary>
    public IReadOnlyList<int>? TokenTypes { get; init; }

    public int? BosTokenId { get; init; }

    public int? EosTokenId { get; init; }

    /// <summary>tokenizer.ggml.add_bos_token; null leaves it to the pre-tokenizer's habit.</summary>
    public bool? AddBosToken { get; init; }

    public bool? AddEosToken { get; init; }
}
