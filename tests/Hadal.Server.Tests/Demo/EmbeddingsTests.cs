using System.Buffers.Binary;
using System.ClientModel;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Tests.Fakes;
using OpenAI;
using OpenAI.Embeddings;

namespace Hadal.Server.Tests.Demo;

/// <summary>/v1/embeddings over a socket, with the bundled model.</summary>
public sealed class EmbeddingsTests(DemoServer demo) : IClassFixture<DemoServer>
{
    [Fact]
    public async Task Embeddings_OfTextsAndTokens_AreTheEnginesVectors()
    {
        int[] tokens = demo.Tokenizer.Encode("Once upon a time", addSpecialTokens: true);
        var expected = await demo.Engine.EmbedAsync(new EmbeddingRequest { Id = "x", Tokens = tokens }, TestContext.Current.CancellationToken);
        var (status, body) = await demo.Server.SendAsync("/v1/embeddings", """{"model":"hadal-demo","input":["Once upon a time","The cat sat."]}""");
        Assert.Equal(200, status);
        Assert.Equal(2, body.GetProperty("data").GetArrayLength());
        Assert.Equal(expected.Vector, Vector(body, 0));
        Assert.Equal(1, body.GetProperty("data")[1].GetProperty("index").GetInt32());
        Assert.True(body.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() > tokens.Length);

        var (_, byIds) = await demo.Server.SendAsync("/v1/embeddings", $$"""{"model":"hadal-demo","input":[[{{string.Join(',', tokens)}}]],"unknown":1}""");
        Assert.Equal(expected.Vector, Vector(byIds, 0));
        Assert.Equal(tokens.Length, byIds.GetProperty("usage").GetProperty("total_tokens").GetInt32());
        var (_, flat) = await demo.Server.SendAsync("/v1/embeddings", $$"""{"model":"hadal-demo","input":[{{string.Join(',', tokens)}}]}""");
        Assert.Equal(expected.Vector, Vector(flat, 0));
    }

    [Fact]
    public async Task Embeddings_OfAnyWish_AreMadeSo()
    {
        var (_, mean) = await demo.Server.SendAsync("/v1/embeddings", """{"model":"hadal-demo","input":"A dog ran far away"}""");
        var (_, last) = await demo.Server.SendAsync("/v1/embeddings", """{"model":"hadal-demo","input":"A dog ran far away","pooling":"last"}""");
        var (_, cut) = await demo.Server.SendAsync("/v1/embeddings", """{"model":"hadal-demo","input":"A dog ran far away","dimensions":16}""");
        var (_, base64) = await demo.Server.SendAsync("/v1/embeddings", """{"model":"hadal-demo","input":"A dog ran far away","encoding_format":"base64"}""");
        Assert.NotEqual(Vector(mean, 0), Vector(last, 0));
        Assert.Equal(16, Vector(cut, 0).Length);
        Assert.Equal(1, Vector(cut, 0).Sum(v => (double)v * v), 5);
        Assert.Equal(1, Vector(last, 0).Sum(v => (double)v * v), 5);
        byte[] bytes = base64.GetProperty("data")[0].GetProperty("embedding").GetBytesFromBase64();
        float[] decoded = [.. bytes.Chunk(4).Select(b => BinaryPrimitives.ReadSingleLittleEndian(b))];
        Assert.Equal(Vector(mean, 0), decoded);
    }

    [Fact]
    public async Task Embeddings_ThroughTheOpenAIPackage_Arrive()
    {
        var client = new EmbeddingClient("hadal-demo", new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new Uri(demo.Server.BaseAddress, "/v1") });
        OpenAIEmbeddingCollection all = await client.GenerateEmbeddingsAsync(["one", "two", "one"], new EmbeddingGenerationOptions { Dimensions = 32 }, TestContext.Current.CancellationToken);
        Assert.Equal(3, all.Count);
        Assert.Equal(32, all[0].ToFloats().Length);
        Assert.Equal(all[0].ToFloats().ToArray(), all[2].ToFloats().ToArray());
    }

    [Fact]
    public async Task Embeddings_MalformedBodies_AreRefusedByField()
    {
        (string Param, string Fields)[] corpus =
        [
            ("input", "\"x\":1"), ("input", "\"input\":null"), ("input", "\"input\":[]"), ("input", "\"input\":7"), ("input", "\"input\":{}"), ("input", "\"input\":\"\""),
            ("input[0]", "\"input\":[\"\"]"), ("input[1]", "\"input\":[\"a\",7]"), ("input[1]", "\"input\":[[1],\"a\"]"), ("input[0]", "\"input\":[[]]"), ("input[0]", "\"input\":[{}]"),
            ("input[0]", "\"input\":[-1]"), ("input[0]", "\"input\":[99999999]"), ("input[0][1]", "\"input\":[[1,1.5]]"), ("input[1]", "\"input\":[1,\"a\"]"),
            ("input", "\"input\":[" + string.Join(',', Enumerable.Repeat("\"a\"", 2049)) + "]"),
            ("input", "\"input\":[" + string.Join(',', Enumerable.Repeat("1", 100_000)) + "]"),
            ("dimensions", "\"input\":\"a\",\"dimensions\":0"), ("dimensions", "\"input\":\"a\",\"dimensions\":1000000"), ("dimensions", "\"input\":\"a\",\"dimensions\":\"all\""),
            ("pooling", "\"input\":\"a\",\"pooling\":\"max\""), ("encoding_format", "\"input\":\"a\",\"encoding_format\":\"int8\""), ("encoding_format", "\"input\":\"a\",\"encoding_format\":1"),
        ];
        foreach (var (param, fields) in corpus)
        {
            var (status, body) = await demo.Server.SendAsync("/v1/embeddings", "{\"model\":\"hadal-demo\"," + fields + "}");
            Assert.True(status == 400, $"{status} for {fields[..Math.Min(80, fields.Length)]}");
            Assert.Equal(param, body.GetProperty("error").GetProperty("param").GetString());
        }
    }

    [Fact]
    public async Task Embeddings_OfAnEngineWithout_AreRefused()
    {
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine());
        var (status, body) = await server.SendAsync("/v1/embeddings", """{"model":"toy","input":"a"}""");
        Assert.Equal(400, status);
        Assert.Equal("model", body.GetProperty("error").GetProperty("param").GetString());
    }

    private static float[] Vector(JsonElement body, int index)
        => [.. body.GetProperty("data")[index].GetProperty("embedding").EnumerateArray().Select(v => v.GetSingle())];
}
