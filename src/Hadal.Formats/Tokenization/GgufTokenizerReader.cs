using System.Text;
using Hadal.Formats.Tokenization.Patterns;
using Hadal.Numerics;

namespace Hadal.Formats.Tokenization;

/// <summary>Makes a tokenizer of GGUF metadata.</summary>
/// <remarks>
/// A GGUF file names its pre-tokenizer and llama.cpp knows the patterns by heart, so we must too. Names and patterns:
/// ggml-org/llama.cpp, src/llama-vocab.cpp. Where llama.cpp rewrites a model's pattern because its own engine lacks a
/// construct (<c>(?i:...)</c>), the model's is used here: that is what it was trained with. Likewise Qwen's NFC, which
/// llama.cpp leaves out. Patterns that do not end in <c>|\s+</c> leave white space as unmatched gaps, which are pieces too.
/// </remarks>
internal static class GgufTokenizerReader
{
    private const string Qwen2 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Llama3 = @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Gpt2 = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)";

    // Written in escapes: composed and compatibility letters are among the bounds, and an editor that normalises would move them.
    private const string DeepSeekLlmLetters =
        @"\s?[A-Za-z"
        + @"\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386"
        + @"\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA"
        + @"\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D"
        + @"\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC"
        + @"\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184"
        + @"\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF"
        + @"\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}"
        + @"\x{10CC0}-\x{10CF2}\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}"
        + "]+";

    private const int Unknown = 2, Control = 3, UserDefined = 4;

    public static TokenizerDefinition Read(GgufTokenizerMetadata metadata)
    {
        const string File = "GGUF metadata";
        if (metadata.Model != "gpt2")
        {
            throw new HadalException(
                $"{File}: tokenizer.ggml.model is '{metadata.Model}', expected 'gpt2' (byte-level BPE). "
                + "Sentencepiece ('llama') and the other kinds are not supported: no model of the DeepSeek family has one. Convert the checkpoint again from its tokenizer.json.");
        }

        (string[] patterns, bool nfc, bool ignoreMerges, bool addBos) = Patterns(metadata.Pre);
        if (metadata.TokenTypes is { } types && types.Count != metadata.Tokens.Count)
        {
            throw new HadalException($"{File}: tokenizer.ggml.token_type has {types.Count} entries, expected {metadata.Tokens.Count} as tokenizer.ggml.tokens has.");
        }

        var vocab = new TokenTable();
        var added = new List<AddedToken>();
        for (int id = 0; id < metadata.Tokens.Count; id++)
        {
            string token = metadata.Tokens[id];
            if (vocab.TryAdd(Encoding.UTF8.GetBytes(token), id) is { } problem) throw new HadalException($"{File}: tokenizer.ggml.tokens[{id}] ('{token}'): {problem}.");
            int type = metadata.TokenTypes?[id] ?? 1;
            if (type is Control or UserDefined or Unknown) added.Add(new AddedToken(id, token, Special: type != UserDefined));
        }

        var merges = new MergeTable(metadata.Merges.Count);
        if (metadata.Merges.Count > MergeTable.MaxMerges) throw new HadalException($"{File}: tokenizer.ggml.merges has {metadata.Merges.Count} entries, expected at most {MergeTable.MaxMerges}.");
        byte[] joined = new byte[256];
        for (int rank = 0; rank < metadata.Merges.Count; rank++)
        {
            string merge = metadata.Merges[rank];
            int space = merge.IndexOf(' ', Math.Min(1, merge.Length));
            if (space < 0) throw new HadalException($"{File}: tokenizer.ggml.merges[{rank}] is '{merge}', expected two tokens with a space between them.");
            MergeRule.Add(vocab, merges, Encoding.UTF8.GetBytes(merge[..space]), Encoding.UTF8.GetBytes(merge[(space + 1)..]), rank, ref joined, File, "tokenizer.ggml.merges");
        }

        int? bos = Check(vocab, metadata.BosTokenId, "bos_token_id"), eos = Check(vocab, metadata.EosTokenId, "eos_token_id");
        return new TokenizerDefinition
        {
            Vocab = vocab,
            Merges = merges,
            IgnoreMerges = ignoreMerges,
            NormalizeToNfc = nfc,
            PreTokenizer = [.. patterns.Select(p => new SplitStep(new RunePattern(p), SplitBehavior.Isolated, invert: false))],
            AddedTokens = added,
            BosTokenId = bos,
            EosTokenId = eos,
            Prefix = (metadata.AddBosToken ?? addBos) && bos is not null ? [bos.Value] : [],
            Suffix = (metadata.AddEosToken ?? false) && eos is not null ? [eos.Value] : [],
        };
    }

    private static int? Check(TokenTable vocab, int? id, string name) =>
        id is null || vocab.Contains(id.Value)
            ? id
            : throw new HadalException($"GGUF metadata: tokenizer.ggml.{name} is {id}, expected an id below {vocab.IdLimit}.");

    private static (string[] Patterns, bool Nfc, bool IgnoreMerges, bool AddBos) Patterns(string? pre)
    {
        const string Cjk = "[一-龥\u0800-一가-\ud7ff]+";
        return pre switch
        {
            "deepseek-llm" => (["[\r\n]", DeepSeekLlmLetters, @"\s?[!-/:-~！-／：-～‘-‟　-。]+", @"\s+$", Cjk, @"\p{N}"], false, false, false),
            "deepseek-coder" => (["[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", Cjk, @"\p{N}"], false, false, false),
            "deepseek-v3" => (
                [
                    @"\p{N}{1,3}",
                    "[一-龥぀-ゟ゠-ヿ]+",
                    """[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
                ], false, false, false),
            "qwen2" or "deepseek-r1-qwen" => ([Qwen2], true, false, false),
            "llama3" or "llama-v3" or "llama-bpe" => ([Llama3], false, true, true),
            "smaug-bpe" or "dbrx" => ([Llama3], false, false, false),
            "gpt-2" => ([Gpt2], false, false, false),
            "default" => ([@"[\p{P}\$\+<=>\^~\|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"], false, false, false),
            _ => throw new HadalException(
                $"GGUF metadata: tokenizer.ggml.pre is {(pre is null ? "missing" : $"'{pre}'")}, expected one of deepseek-llm, deepseek-coder, deepseek-v3, deepseek-r1-qwen, "
                + "qwen2, llama3, llama-v3, llama-bpe, smaug-bpe, dbrx, gpt-2, default. A guess would give other ids than the model was trained with; convert the checkpoint again with a current converter."),
        };
    }
}
