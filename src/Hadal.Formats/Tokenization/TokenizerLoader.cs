using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Tokenization;

/// <summary>Makes a tokenizer from a checkpoint's files.</summary>
public static class TokenizerLoader
{
    /// <summary>Reads <c>tokenizer.json</c>, and <c>tokenizer_config.json</c> beside it when there is one.</summary>
    /// <remarks>
    /// The frame that addSpecialTokens puts around text is the post-processor's; where that has none (DeepSeek's files),
    /// <c>add_bos_token</c> and <c>add_eos_token</c> decide, as transformers' classes do.
    /// </remarks>
    /// <exception cref="HadalException">A file is missing, broken, or of a kind that is not supported; the message says where.</exception>
    public static BpeTokenizer FromFolder(string folder) => From(new FolderCheckpointFiles(folder));

    /// <summary>As <see cref="FromFolder"/>, wherever the files lie.</summary>
    public static BpeTokenizer From(ICheckpointFiles files)
    {
        const string name = "tokenizer.json";
        if (!files.Exists(name))
        {
            throw new HadalException($"There is no {files.PathOf(name)}. A checkpoint folder must have one; sentencepiece files (tokenizer.model) are not read.");
        }

        TokenizerConfig config = TokenizerConfig.From(files);
        TokenizerDefinition definition = TokenizerJsonReader.Read(files.PathOf(name), files.Read(name, JsonField.MaxFileBytes));
        int? bos = FindSpecial(definition, config, "bos_token");
        int? eos = FindSpecial(definition, config, "eos_token");
        bool framed = definition.Prefix.Count + definition.Suffix.Count > 0;
        return new BpeTokenizer(definition with
        {
            BosTokenId = bos,
            EosTokenId = eos,
            Prefix = !framed && config.AddBosToken && bos is not null ? [bos.Value] : definition.Prefix,
            Suffix = !framed && config.AddEosToken && eos is not null ? [eos.Value] : definition.Suffix,
        });
    }

    /// <summary>Makes a tokenizer from the metadata of a GGUF file.</summary>
    /// <exception cref="HadalException">The metadata is inconsistent, or its kind of tokenizer is not supported.</exception>
    public static BpeTokenizer FromGguf(GgufTokenizerMetadata metadata) => new(GgufTokenizerReader.Read(metadata));

    private static int? FindSpecial(TokenizerDefinition definition, TokenizerConfig config, string name)
    {
        if (!config.SpecialTokens.TryGetValue(name, out string? token)) return null;
        if (definition.Vocab.TryGetId(System.Text.Encoding.UTF8.GetBytes(token), out int id)) return id;
        throw new HadalException($"{config.File}: {name} is {JsonEncodedText.Encode(token)}, which tokenizer.json does not know. The two files do not belong together.");
    }
}
