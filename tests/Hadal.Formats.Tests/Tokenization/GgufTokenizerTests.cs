using System.Text.Json;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Tokenization;

public sealed class GgufTokenizerTests
{
    [Theory]
    [InlineData("deepseek_v3", "deepseek-v3")]
    [InlineData("qwen3", "deepseek-r1-qwen")]
    [InlineData("llama3_1", "llama-bpe")]
    public void FromGguf_SameVocabulary_GivesTheReferencesIds(string name, string pre)
    {
        BpeTokenizer tokenizer = TokenizerLoader.FromGguf(Convert(name, pre));
        foreach (JsonElement line in TestFiles.ReadLines(TestFiles.Golden($"{name}.visible.jsonl")))
        {
            string text = line.GetProperty("text").GetString()!;
            Assert.Equal(line.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32()), tokenizer.Encode(text));
            Assert.Equal(line.GetProperty("decoded").GetString(), tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Theory]
    [InlineData("deepseek-llm", "Hello,  你好 123\r\nÀé!  ", "Hello|,|  |你好| |1|2|3|\r|\n|Àé|!|  ")]
    [InlineData("deepseek-coder", "if x1 == 'a':\n  pass", "if| x|1| ==| '|a|':|\n| | pass")]
    [InlineData("smaug-bpe", "I'm 12345", "I|'m| |123|45")]
    [InlineData("gpt-2", "I'm  12", "I|'m| | 12")]
    [InlineData("default", "I'm 1234", "I|'|m| |123|4")]
    public void FromGguf_PreTokenizer_CutsAsNamed(string pre, string text, string expected)
    {
        TokenizerDefinition definition = GgufTokenizerReader.Read(new GgufTokenizerMetadata { Model = "gpt2", Pre = pre, Tokens = ["a"], Merges = [] });
        var pieces = new PreTokenizedText();
        pieces.Reset(text);
        foreach (PreTokenizerStep step in definition.PreTokenizer) step.Apply(pieces);
        Assert.Equal(expected, string.Join('|', Enumerable.Range(0, pieces.Count).Select(i => pieces[i].ToString())));
    }

    [Fact]
    public void FromGguf_Frame_FollowsTheFlags()
    {
        var metadata = new GgufTokenizerMetadata { Model = "gpt2", Pre = "llama-bpe", Tokens = ["a", "<s>", "</s>"], TokenTypes = [1, 3, 3], Merges = [], BosTokenId = 1, EosTokenId = 2 };
        Assert.Equal([1, 0], TokenizerLoader.FromGguf(metadata).Encode("a", addSpecialTokens: true));
        Assert.Equal([0, 2], TokenizerLoader.FromGguf(metadata with { AddBosToken = false, AddEosToken = true }).Encode("a", addSpecialTokens: true));
        Assert.Equal([1, 0], TokenizerLoader.FromGguf(metadata).Encode("<s>a"));
    }

    [Fact]
    public void FromGguf_WrongMetadata_IsNamed()
    {
        var valid = new GgufTokenizerMetadata { Model = "gpt2", Pre = "qwen2", Tokens = ["a", "b", "ab"], Merges = ["a b"] };
        Refused(valid with { Model = "llama" }, "tokenizer.ggml.model");
        Refused(valid with { Pre = null }, "tokenizer.ggml.pre");
        Refused(valid with { Pre = "bloom" }, "'bloom'");
        Refused(valid with { Tokens = ["a", "a"] }, "tokenizer.ggml.tokens[1]");
        Refused(valid with { TokenTypes = [1] }, "tokenizer.ggml.token_type");
        Refused(valid with { Merges = ["ab"] }, "tokenizer.ggml.merges[0]");
        Refused(valid with { Merges = ["a c"] }, "tokenizer.ggml.merges[0]");
        Refused(valid with { BosTokenId = 3 }, "bos_token_id");
        Refused(valid with { EosTokenId = -1 }, "eos_token_id");
    }

    private static void Refused(GgufTokenizerMetadata metadata, string what) =>
        Assert.Contains(what, Assert.Throws<HadalException>(() => TokenizerLoader.FromGguf(metadata)).Message, StringComparison.Ordinal);

    /// <summary>A tokenizer.json as a converter would write it into GGUF.</summary>
    private static GgufTokenizerMetadata Convert(string name, string pre)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(TestFiles.Tokenizer(name), "tokenizer.json")));
        JsonElement model = json.RootElement.GetProperty("model");
        int count = GoldenTokenizers.Get(name).VocabSize;
        string[] tokens = [.. Enumerable.Range(0, count).Select(i => $"[unused{i}]")];
        int[] types = [.. Enumerable.Repeat(5, count)];
        foreach (JsonProperty entry in model.GetProperty("vocab").EnumerateObject())
        {
            tokens[entry.Value.GetInt32()] = entry.Name;
            types[entry.Value.GetInt32()] = 1;
        }

        foreach (JsonElement added in json.RootElement.GetProperty("added_tokens").EnumerateArray())
        {
            int id = added.GetProperty("id").GetInt32();
            tokens[id] = added.GetProperty("content").GetString()!;
            types[id] = added.GetProperty("special").GetBoolean() ? 3 : 4;
        }

        return new GgufTokenizerMetadata
        {
            Model = "gpt2",
            Pre = pre,
            Tokens = tokens,
            TokenTypes = types,
            Merges = [.. model.GetProperty("merges").EnumerateArray().Select(m => m.ValueKind == JsonValueKind.String ? m.GetString()! : $"{m[0].GetString()} {m[1].GetString()}")],
        };
    }
}
