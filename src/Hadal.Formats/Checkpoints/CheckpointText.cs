using Hadal.Formats.Chat;
using Hadal.Formats.Gguf;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>What a checkpoint says of text: its tokenizer and its chat template.</summary>
public static class CheckpointText
{
    /// <exception cref="HadalException">There is none, or it is broken.</exception>
    public static ITokenizer LoadTokenizer(Checkpoint checkpoint) => checkpoint.Gguf is { } gguf
        ? TokenizerLoader.FromGguf(GgufMetadata(gguf))
        : TokenizerLoader.From(checkpoint.Files!);

    /// <returns>Null where the model has no template: it completes text and does not chat.</returns>
    /// <exception cref="HadalException">The template is broken.</exception>
    public static IChatTemplate? LoadChatTemplate(Checkpoint checkpoint)
    {
        if (checkpoint.Gguf is not { } gguf)
        {
            return ChatTemplateLoader.From(checkpoint.Files!);
        }

        GgufTokenizerMetadata metadata = GgufMetadata(gguf);
        var special = new Dictionary<string, string>(StringComparer.Ordinal);
        void Add(string name, int? id)
        {
            if (id is { } i && (uint)i < (uint)metadata.Tokens.Count)
            {
                special.Add(name, metadata.Tokens[i]);
            }
        }

        Add("bos_token", metadata.BosTokenId);
        Add("eos_token", metadata.EosTokenId);
        return ChatTemplateLoader.FromGguf(Find(gguf, "tokenizer.chat_template")?.AsString(), special);
    }

    private static GgufTokenizerMetadata GgufMetadata(GgufFile gguf)
    {
        GgufValue Required(string key) => Find(gguf, key)
            ?? throw new HadalException($"{gguf.Path}: has no '{key}', so it carries no tokenizer; give a GGUF file made with one");

        return new GgufTokenizerMetadata
        {
            Model = Required("tokenizer.ggml.model").AsString(),
            Pre = Find(gguf, "tokenizer.ggml.pre")?.AsString(),
            Tokens = Required("tokenizer.ggml.tokens").AsStrings(),
            Merges = Required("tokenizer.ggml.merges").AsStrings(),
            TokenTypes = Find(gguf, "tokenizer.ggml.token_type") is { } types ? [.. types.AsIntegers().Select(t => (int)t)] : null,
            BosTokenId = Id("tokenizer.ggml.bos_token_id"),
            EosTokenId = Id("tokenizer.ggml.eos_token_id"),
            AddBosToken = Find(gguf, "tokenizer.ggml.add_bos_token")?.AsBool(),
            AddEosToken = Find(gguf, "tokenizer.ggml.add_eos_token")?.AsBool(),
        };

        int? Id(string key) => Find(gguf, key) is not { } value
            ? null
            : value.AsInteger() is >= 0 and <= int.MaxValue and var id ? (int)id : throw new HadalException($"{gguf.Path}: '{key}' is {value.AsInteger()}; expected a token id");
    }

    private static GgufValue? Find(GgufFile gguf, string key) => gguf.Metadata.TryGetValue(key, out GgufValue? value) ? value : null;
}
