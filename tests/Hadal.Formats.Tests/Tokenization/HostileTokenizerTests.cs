using System.Text;
using System.Text.Json.Nodes;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Formats.Tests.Tokenization;

public sealed class HostileTokenizerTests
{
    private const string Valid = """
        {"added_tokens":[{"id":3,"content":"<s>","special":true}],"normalizer":null,
         "pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false,"use_regex":true},"post_processor":null,"decoder":{"type":"ByteLevel"},
         "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}
        """;

    [Fact]
    public void Read_SmallFile_Encodes()
    {
        BpeTokenizer tokenizer = Read(Valid);
        Assert.Equal([2, 0, 3, 1], tokenizer.Encode("aba<s>b"));
        // A byte that the vocabulary lacks vanishes when there is no unk_token, and its neighbours meet, as in the reference.
        Assert.Equal([2], tokenizer.Encode("axb"));
        Assert.Equal(4, tokenizer.VocabSize);
    }

    [Theory]
    [InlineData("$", "[]")]
    [InlineData("$.model", "[]")]
    [InlineData("$.model.type", "\"WordPiece\"")]
    [InlineData("$.model.vocab", "[]")]
    [InlineData("$.model.vocab", "{\"a\":\"0\"}")]
    [InlineData("$.model.vocab", "{\"a\":0.5}")]
    [InlineData("$.model.vocab", "{\"a\":-1}")]
    [InlineData("$.model.vocab", "{\"a\":1048576}")]
    [InlineData("$.model.vocab", "{\"a\":99999999999999999999}")]
    [InlineData("$.model.vocab", "{\"a\":0,\"b\":0}")]
    [InlineData("$.model.vocab", "{\"a\":0,\"a\":1}")]
    [InlineData("$.model.merges", "{}")]
    [InlineData("$.model.merges", "[1]")]
    [InlineData("$.model.merges", "[\"ab\"]")]
    [InlineData("$.model.merges", "[\"a b c\"]")]
    [InlineData("$.model.merges", "[[\"a\"]]")]
    [InlineData("$.model.merges", "[[\"a\",\"b\",\"c\"]]")]
    [InlineData("$.model.merges", "[\"b a\"]")]
    [InlineData("$.model.merges", "[\"a z\"]")]
    [InlineData("$.model.byte_fallback", "true")]
    [InlineData("$.model.dropout", "0.1")]
    [InlineData("$.model.end_of_word_suffix", "\"</w>\"")]
    [InlineData("$.model.unk_token", "\"<unk>\"")]
    [InlineData("$.model.ignore_merges", "1")]
    [InlineData("$.added_tokens", "{}")]
    [InlineData("$.added_tokens", "[1]")]
    [InlineData("$.added_tokens", "[{\"id\":\"x\",\"content\":\"c\"}]")]
    [InlineData("$.added_tokens", "[{\"id\":-4,\"content\":\"c\"}]")]
    [InlineData("$.added_tokens", "[{\"id\":2147483647,\"content\":\"c\"}]")]
    [InlineData("$.added_tokens", "[{\"id\":0,\"content\":\"c\"}]")]
    [InlineData("$.added_tokens", "[{\"id\":7,\"content\":\"a\"}]")]
    [InlineData("$.added_tokens", "[{\"id\":7}]")]
    [InlineData("$.added_tokens", "[{\"id\":7,\"content\":\"\\ud800\"}]")]
    [InlineData("$.normalizer", "{\"type\":\"Lowercase\"}")]
    [InlineData("$.normalizer", "{}")]
    [InlineData("$.pre_tokenizer", "null")]
    [InlineData("$.pre_tokenizer", "{\"type\":\"Metaspace\"}")]
    [InlineData("$.pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"},\"behavior\":\"Isolated\"}")]
    [InlineData("$.pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Other\"}")]
    [InlineData("$.decoder", "null")]
    [InlineData("$.decoder", "{\"type\":\"WordPiece\"}")]
    [InlineData("$.post_processor", "{\"type\":\"BertProcessing\"}")]
    [InlineData("$.post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}}],\"special_tokens\":{}}")]
    [InlineData("$.post_processor", "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\"}},{\"Sequence\":{}}],\"special_tokens\":{\"x\":{\"ids\":[99]}}}")]
    public void Read_WrongField_IsNamed(string path, string value)
    {
        string json = Replace(path, value);
        var e = Assert.Throws<HadalException>(() => Read(json));
        Assert.Contains("test.json", e.Message, StringComparison.Ordinal);
        if (path != "$") Assert.Contains(path, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_EveryTruncation_IsAnErrorForPeople()
    {
        byte[] json = Encoding.UTF8.GetBytes(Valid);
        for (int length = 0; length < json.Length; length++)
        {
            byte[] part = json[..length];
            Assert.Throws<HadalException>(() => TokenizerJsonReader.Read("test.json", part));
        }
    }

    [Fact]
    public void Read_EveryByteChanged_LoadsOrIsAnErrorForPeople()
    {
        byte[] json = Encoding.UTF8.GetBytes(Valid);
        var random = new Random(11);
        for (int i = 0; i < json.Length; i++)
        {
            foreach (byte b in (ReadOnlySpan<byte>)[(byte)'"', (byte)'{', (byte)']', 0xFF, (byte)random.Next(256)])
            {
                byte[] changed = [.. json];
                changed[i] = b;
                try
                {
                    new BpeTokenizer(TokenizerJsonReader.Read("test.json", changed)).Encode("abab<s>");
                }
                catch (HadalException)
                {
                    // The wanted way to fail; anything else fails the test.
                }
            }
        }
    }

    [Fact]
    public void Read_DeepJson_IsRefused()
    {
        Assert.Throws<HadalException>(() => Read("{\"x\":" + new string('[', 1_000_000)));
        Assert.Throws<HadalException>(() => Read("{\"normalizer\":" + new string('[', 1_000_000)));
    }

    [Fact]
    public void Read_TenMillionTokens_IsRefused()
    {
        var json = new StringBuilder("{\"model\":{\"type\":\"BPE\",\"vocab\":{");
        for (int i = 0; i < 1_500_000; i++) json.Append('"').Append(i).Append("\":").Append(i).Append(',');
        json.Append("\"z\":10000000},\"merges\":[]}}");
        Assert.Contains("outside 0..", Assert.Throws<HadalException>(() => Read(json.ToString())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_HolesAmongIds_AreAllowed()
    {
        BpeTokenizer tokenizer = Read(Replace("$.model.vocab", "{\"a\":0,\"b\":10,\"ab\":20}"));
        Assert.Equal([20], tokenizer.Encode("ab"));
        Assert.Equal(21, tokenizer.VocabSize);
        Assert.Equal("ab", tokenizer.Decode([20, 5, 15]));
    }

    [Fact]
    public void Read_MergesBeforeVocab_AreUnderstood() => Assert.Equal(
        [2],
        Read("""{"model":{"merges":[["a","b"]],"vocab":{"a":0,"b":1,"ab":2}},"pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"}}""").EncodePlain("ab", false)[^1..]);

    [Fact]
    public void FromFolder_NoFile_SaysWhatIsMissing() =>
        Assert.Contains("tokenizer.json", Assert.Throws<HadalException>(() => TokenizerLoader.FromFolder(Path.GetTempPath())).Message, StringComparison.Ordinal);

    private static BpeTokenizer Read(string json) => new(TokenizerJsonReader.Read("test.json", Encoding.UTF8.GetBytes(json)));

    // By text, so that values no JsonNode can hold (repeated keys) get through.
    private static string Replace(string path, string value)
    {
        if (path == "$") return value;
        var root = (JsonObject)JsonNode.Parse(Valid)!;
        string[] names = path.Split('.')[1..];
        JsonObject parent = names.Length == 1 ? root : (JsonObject)root[names[0]]!;
        parent[names[^1]] = "@@@";
        return root.ToJsonString().Replace("\"@@@\"", value, StringComparison.Ordinal);
    }
}
