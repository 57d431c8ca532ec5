using System.Text.Json;
using Hadal.Formats.Tokenization;

namespace Hadal.Formats.Tests.Tokenization;

public sealed class GoldenTokenizerTests
{
    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen3")]
    [InlineData("llama3_1")]
    public void EncodeAndDecode_GoldenLines_EqualReference(string name)
    {
        BpeTokenizer tokenizer = GoldenTokenizers.Get(name);
        int count = 0;
        foreach (JsonElement line in TestFiles.ReadLines(TestFiles.Golden($"{name}.visible.jsonl")))
        {
            string text = line.GetProperty("text").GetString()!;
            int[] expected = [.. line.GetProperty("ids").EnumerateArray().Select(i => i.GetInt32())];
            Assert.True(expected.AsSpan().SequenceEqual(tokenizer.Encode(text)), $"{name}: {JsonSerializer.Serialize(text)}: expected {string.Join(' ', expected)}, got {string.Join(' ', tokenizer.Encode(text))}");
            Assert.Equal(line.GetProperty("decoded").GetString(), tokenizer.Decode(expected));
            count++;
        }

        Assert.Equal(125, count);
    }

    [Fact]
    public void Encode_AddSpecialTokens_PutsTheFrameAround()
    {
        Assert.Equal([0, 19923], GoldenTokenizers.Get("deepseek_v3").Encode("Hello", addSpecialTokens: true));
        Assert.Equal([128000, 9906], GoldenTokenizers.Get("llama3_1").Encode("Hello", addSpecialTokens: true));
        Assert.Equal([9707], GoldenTokenizers.Get("qwen3").Encode("Hello", addSpecialTokens: true));
    }

    [Theory]
    [InlineData("deepseek_v3", 128815, 0, 1)]
    [InlineData("qwen3", 151669, null, 151645)]
    [InlineData("llama3_1", 128256, 128000, 128009)]
    [InlineData("demo", 4096, 0, 1)]
    public void FromFolder_KnownFiles_HaveTheirIds(string name, int vocabSize, int? bos, int? eos)
    {
        BpeTokenizer tokenizer = GoldenTokenizers.Get(name);
        Assert.Equal(vocabSize, tokenizer.VocabSize);
        Assert.Equal(bos, tokenizer.BosTokenId);
        Assert.Equal(eos, tokenizer.EosTokenId);
    }
}
