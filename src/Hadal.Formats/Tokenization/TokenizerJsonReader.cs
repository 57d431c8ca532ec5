using System.Text.Json;
using Hadal.Formats.Tokenization.Patterns;
using Hadal.Numerics;

namespace Hadal.Formats.Tokenization;

/// <summary>Reads Hugging Face's <c>tokenizer.json</c>.</summary>
/// <remarks>
/// The vocabulary and the merges, megabytes each, are streamed straight into their tables; a document of them would cost more
/// than the rest of the start. The small parts are read as documents.
/// </remarks>
internal sealed class TokenizerJsonReader
{
    private readonly string _file;
    private readonly TokenTable _vocab = new();
    private MergeTable? _merges;
    private byte[] _text = new byte[256];
    private byte[] _second = new byte[256];
    private byte[] _joined = new byte[256];
    private JsonElement? _addedTokens, _normalizer, _preTokenizer, _postProcessor, _decoder;
    private string? _modelType, _unkToken;
    private bool _ignoreMerges, _fuseUnk;

    private TokenizerJsonReader(string file) => _file = file;

    public static TokenizerDefinition Read(string file, ReadOnlySpan<byte> json)
    {
        try
        {
            var reader = new TokenizerJsonReader(file);
            return reader.ReadAll(json);
        }
        catch (JsonException e)
        {
            throw JsonField.Broken(file, e);
        }
        catch (InvalidOperationException e)
        {
            throw new HadalException($"{file} has a string that is not valid text: {e.Message}", e);
        }
    }

    private TokenizerDefinition ReadAll(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw Wrong("$", "an object");
        bool hasModel = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "model":
                    hasModel = true;
                    ReadModel(ref reader);
                    break;
                case "added_tokens":
                    _addedTokens = JsonElement.ParseValue(ref reader);
                    break;
                case "normalizer":
                    _normalizer = JsonElement.ParseValue(ref reader);
                    break;
                case "pre_tokenizer":
                    _preTokenizer = JsonElement.ParseValue(ref reader);
                    break;
                case "post_processor":
                    _postProcessor = JsonElement.ParseValue(ref reader);
                    break;
                case "decoder":
                    _decoder = JsonElement.ParseValue(ref reader);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }

        reader.Read();
        if (!hasModel || _merges is null || _vocab.IdLimit == 0) throw new HadalException($"{_file}: $.model has no vocab and merges; a byte-level BPE tokenizer.json was expected.");
        return Finish();
    }

    private void ReadModel(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Wrong("$.model", "an object");
        Utf8JsonReader deferredMerges = default;
        bool isDeferred = false, hasVocab = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            switch (name)
            {
                case "type":
                    _modelType = Field(ref reader, name).String();
                    break;
                case "vocab":
                    ReadVocab(ref reader);
                    hasVocab = true;
                    break;
                case "merges" when hasVocab:
                    ReadMerges(ref reader);
                    break;
                case "merges":
                    // Merges name tokens; a copy of the reader waits until those are known.
                    deferredMerges = reader;
                    isDeferred = true;
                    reader.Skip();
                    break;
                case "unk_token" when reader.TokenType != JsonTokenType.Null:
                    _unkToken = Field(ref reader, name).String();
                    break;
                case "ignore_merges" when reader.TokenType != JsonTokenType.Null:
                    _ignoreMerges = Field(ref reader, name).Bool();
                    break;
                case "fuse_unk" when reader.TokenType != JsonTokenType.Null:
                    _fuseUnk = Field(ref reader, name).Bool();
                    break;
                case "byte_fallback" when reader.TokenType == JsonTokenType.True:
                    throw Wrong("$.model.byte_fallback", "false: byte-level BPE has no use for it");
                case "dropout" when reader.TokenType == JsonTokenType.Number && reader.GetDouble() > 0:
                    throw Wrong("$.model.dropout", "null: random merges are for training");
                case "continuing_subword_prefix" or "end_of_word_suffix" when reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length > 0:
                    throw Wrong($"$.model.{name}", "none: byte-level BPE has none");
                default:
                    reader.Skip();
                    break;
            }
        }

        if (isDeferred) ReadMerges(ref deferredMerges);
        if (_modelType is not (null or "BPE")) throw new HadalException($"{_file}: $.model.type is '{_modelType}', expected 'BPE'. Only byte-level BPE tokenizers are supported; no DeepSeek model has another.");
    }

    private JsonField Field(ref Utf8JsonReader reader, string name) => new(JsonElement.ParseValue(ref reader), _file, $"$.model.{name}");

    private void ReadVocab(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartObject) throw Wrong("$.model.vocab", "an object of token to id");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            ReadOnlySpan<byte> token = Text(ref reader, ref _text);
            reader.Read();
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long id)) throw Wrong(VocabPath(token), "an integer id");
            if (_vocab.TryAdd(token, id) is { } problem) throw new HadalException($"{_file}: {VocabPath(token)}: {problem}. The vocabulary is broken; download the file again.");
        }
    }

    private static string VocabPath(ReadOnlySpan<byte> token) =>
        $"$.model.vocab['{System.Text.Encoding.UTF8.GetString(token.Length > 80 ? token[..80] : token)}']";

    private void ReadMerges(ref Utf8JsonReader reader)
    {
        if (reader.TokenType != JsonTokenType.StartArray) throw Wrong("$.model.merges", "an array of merges");
        _merges = new MergeTable(_vocab.IdLimit);
        int rank = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; rank++)
        {
            if (rank >= MergeTable.MaxMerges) throw Wrong("$.model.merges", $"at most {MergeTable.MaxMerges} merges");
            ReadOnlySpan<byte> left, right;
            if (reader.TokenType == JsonTokenType.String)
            {
                left = Text(ref reader, ref _text);
                int space = left.IndexOf((byte)' ');
                if (space < 0 || left[(space + 1)..].Contains((byte)' ')) throw Wrong($"$.model.merges[{rank}]", "two tokens with one space between them");
                right = left[(space + 1)..];
                left = left[..space];
            }
            else
            {
                if (reader.TokenType != JsonTokenType.StartArray || !reader.Read() || reader.TokenType != JsonTokenType.String) throw Wrong($"$.model.merges[{rank}]", "a string or a pair of strings");
                left = Text(ref reader, ref _text);
                if (!reader.Read() || reader.TokenType != JsonTokenType.String) throw Wrong($"$.model.merges[{rank}][1]", "a string");
                right = Text(ref reader, ref _second);
                if (!reader.Read() || reader.TokenType != JsonTokenType.EndArray) throw Wrong($"$.model.merges[{rank}]", "a pair of strings and no more");
            }

            MergeRule.Add(_vocab, _merges, left, right, rank, ref _joined, _file, "$.model.merges");
        }
    }

    /// <summary>The unescaped text of the string or name the reader stands on; overwritten by the next call with the same buffer.</summary>
    private static ReadOnlySpan<byte> Text(scoped ref Utf8JsonReader reader, ref byte[] buffer)
    {
        if (buffer.Length < reader.ValueSpan.Length) buffer = new byte[reader.ValueSpan.Length * 2];
        return buffer.AsSpan(0, reader.CopyString(buffer));
    }

    private TokenizerDefinition Finish()
    {
        var added = new List<AddedToken>();
        if (Small(_addedTokens, "added_tokens") is { } tokens)
        {
            foreach (JsonField token in tokens.Items()) ReadAddedToken(token, added);
        }

        bool nfc = Small(_normalizer, "normalizer") is { } normalizer && ReadNormalizer(normalizer);
        var steps = new List<PreTokenizerStep>();
        bool hasByteLevel = Small(_preTokenizer, "pre_tokenizer") is { } preTokenizer && ReadPreTokenizer(preTokenizer, steps);
        if (!hasByteLevel) throw new HadalException($"{_file}: $.pre_tokenizer has no ByteLevel step. Only byte-level BPE tokenizers are supported; no DeepSeek model has another.");
        if (Small(_decoder, "decoder") is not { } decoder) throw new HadalException($"{_file}: there is no $.decoder, expected ByteLevel.");
        CheckDecoder(decoder);
        var prefix = new List<int>();
        var suffix = new List<int>();
        if (Small(_postProcessor, "post_processor") is { } postProcessor) ReadPostProcessor(postProcessor, prefix, suffix);
        int? unk = null;
        if (_unkToken is not null)
        {
            if (_fuseUnk) throw new HadalException($"{_file}: $.model.fuse_unk is true beside an unk_token, which byte-level BPE has no use for; expected false.");
            if (!_vocab.TryGetId(System.Text.Encoding.UTF8.GetBytes(_unkToken), out int id)) throw new HadalException($"{_file}: $.model.unk_token '{_unkToken}' is not in the vocabulary.");
            unk = id;
        }

        return new TokenizerDefinition
        {
            Vocab = _vocab,
            Merges = _merges!,
            IgnoreMerges = _ignoreMerges,
            UnkId = unk,
            NormalizeToNfc = nfc,
            PreTokenizer = steps,
            AddedTokens = added,
            Prefix = prefix,
            Suffix = suffix,
        };
    }

    private JsonField? Small(JsonElement? element, string name) =>
        element is { ValueKind: not JsonValueKind.Null } value ? new JsonField(value, _file, $"$.{name}") : null;

    private void ReadAddedToken(JsonField field, List<AddedToken> added)
    {
        var token = new AddedToken(
            field["id"].Int(),
            field["content"].String(),
            field.Find("special")?.Bool() ?? false,
            field.Find("normalized")?.Bool() ?? false,
            field.Find("single_word")?.Bool() ?? false,
            field.Find("lstrip")?.Bool() ?? false,
            field.Find("rstrip")?.Bool() ?? false);
        byte[] content = System.Text.Encoding.UTF8.GetBytes(token.Content);
        if (!_vocab.TryGetId(content, out int id))
        {
            if (_vocab.TryAdd(content, token.Id) is { } problem) throw new HadalException($"{_file}: {field.Path} ('{token.Content}'): {problem}.");
        }
        else if (id != token.Id)
        {
            throw new HadalException($"{_file}: {field.Path} ('{token.Content}') has id {token.Id}, but the vocabulary gives that token id {id}.");
        }

        added.Add(token);
    }

    private static bool ReadNormalizer(JsonField field)
    {
        switch (field["type"].String())
        {
            case "NFC":
                return true;
            case "Sequence":
                bool nfc = false;
                foreach (JsonField item in field["normalizers"].Items()) nfc |= ReadNormalizer(item);
                return nfc;
            default:
                throw field["type"].Wrong("NFC or a Sequence of it");
        }
    }

    /// <summary>True when a ByteLevel step is among them.</summary>
    private static bool ReadPreTokenizer(JsonField field, List<PreTokenizerStep> steps)
    {
        switch (field["type"].String())
        {
            case "Sequence":
                bool hasByteLevel = false;
                foreach (JsonField item in field["pretokenizers"].Items()) hasByteLevel |= ReadPreTokenizer(item, steps);
                return hasByteLevel;
            case "ByteLevel":
                bool addPrefixSpace = field.Find("add_prefix_space")?.Bool() ?? true, useRegex = field.Find("use_regex")?.Bool() ?? true;
                if (addPrefixSpace || useRegex) steps.Add(new ByteLevelStep(addPrefixSpace, useRegex));
                return true;
            case "Split":
                ReadSplit(field, steps);
                return false;
            case "Digits":
                // What the reference calls numeric is the general category N.
                bool individual = field.Find("individual_digits")?.Bool() ?? false;
                steps.Add(new SplitStep(new RunePattern(individual ? @"\p{N}" : @"\p{N}+"), SplitBehavior.Isolated, invert: false));
                return false;
            default:
                throw field["type"].Wrong("Sequence, ByteLevel, Split or Digits");
        }
    }

    private static void ReadSplit(JsonField field, List<PreTokenizerStep> steps)
    {
        JsonField pattern = field["pattern"];
        JsonField? literal = pattern.Find("String");
        string source = literal is { } text ? EscapeLiteral(text.String()) : pattern["Regex"].String();
        // An empty literal cuts nowhere.
        if (literal is not null && source.Length == 0) return;
        JsonField behaviorField = field["behavior"];
        SplitBehavior behavior = behaviorField.String() switch
        {
            "Isolated" => SplitBehavior.Isolated,
            "Removed" => SplitBehavior.Removed,
            "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
            "MergedWithNext" => SplitBehavior.MergedWithNext,
            "Contiguous" => SplitBehavior.Contiguous,
            _ => throw behaviorField.Wrong("Isolated, Removed, MergedWithPrevious, MergedWithNext or Contiguous"),
        };
        try
        {
            steps.Add(new SplitStep(new RunePattern(source), behavior, field.Find("invert")?.Bool() ?? false));
        }
        catch (HadalException e)
        {
            throw new HadalException($"{field.File}: {pattern.Path}: {e.Message}", e);
        }
    }

    private static string EscapeLiteral(string text)
    {
        var escaped = new System.Text.StringBuilder();
        foreach (char c in text)
        {
            if (char.IsAscii(c) && !char.IsAsciiLetterOrDigit(c)) escaped.Append('\\');
            escaped.Append(c);
        }

        return escaped.ToString();
    }

    private static void CheckDecoder(JsonField field)
    {
        switch (field["type"].String())
        {
            case "ByteLevel":
                return;
            case "Sequence":
                foreach (JsonField item in field["decoders"].Items()) CheckDecoder(item);
                return;
            default:
                throw field["type"].Wrong("ByteLevel or a Sequence of it");
        }
    }

    private void ReadPostProcessor(JsonField field, List<int> prefix, List<int> suffix)
    {
        switch (field["type"].String())
        {
            case "ByteLevel":
                // Trims offsets, which nobody here asks for.
                return;
            case "Sequence":
                foreach (JsonField item in field["processors"].Items()) ReadPostProcessor(item, prefix, suffix);
                return;
            case "TemplateProcessing":
                ReadTemplate(field, prefix, suffix);
                return;
            default:
                throw field["type"].Wrong("ByteLevel, TemplateProcessing or a Sequence of them");
        }
    }

    private void ReadTemplate(JsonField field, List<int> prefix, List<int> suffix)
    {
        bool seenText = false;
        foreach (JsonField piece in field["single"].Items())
        {
            if (piece.Find("Sequence") is not null)
            {
                if (seenText) throw piece.Wrong("one Sequence in a template for single texts");
                seenText = true;
                continue;
            }

            JsonField name = piece["SpecialToken"]["id"];
            JsonField ids = field["special_tokens"][name.String()]["ids"];
            foreach (JsonField id in ids.Items())
            {
                if (!_vocab.Contains(id.Int())) throw id.Wrong("an id of the vocabulary");
                (seenText ? suffix : prefix).Add(id.Int());
            }
        }

        if (!seenText) throw field["single"].Wrong("a template with a Sequence in it");
    }

    private HadalException Wrong(string path, string expected) => new($"{_file}: {path} is not what it must be: {expected}.");
}
