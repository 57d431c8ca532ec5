using Hadal.Demo;
using Hadal.Engine;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Tests;

[Collection("one model")] // In turn: they count what it does.
public sealed class EmbeddingsTests(DemoFixture demo)
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Generate_WithinAndOverHttp_GiveTheSameUnitVectors()
    {
        string[] texts = ["The cat sat on the mat.", "A dog ran in the park.", "12 + 7 = 19"];
        GeneratedEmbeddings<Embedding<float>>[] all = [await Generator(false).GenerateAsync(texts, cancellationToken: Ct), await Generator(true).GenerateAsync(texts, cancellationToken: Ct)];

        for (int i = 0; i < texts.Length; i++)
        {
            ReadOnlyMemory<float> a = all[0][i].Vector, b = all[1][i].Vector;
            Assert.Equal(a.ToArray(), b.ToArray());
            Assert.Equal(1, Math.Sqrt(a.ToArray().Sum(v => (double)v * v)), 1e-5);
        }

        Assert.NotEqual(all[0][0].Vector.ToArray(), all[0][1].Vector.ToArray());
        Assert.Equal(DemoModel.Name, all[0][0].ModelId);
        Assert.All(all, e => Assert.True(e.Usage!.InputTokenCount > 10));
        Assert.Equal(all[0].Usage!.InputTokenCount, all[1].Usage!.InputTokenCount);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Generate_Options_AreHonoured(bool overHttp)
    {
        using IEmbeddingGenerator<string, Embedding<float>> generator = Generator(overHttp);
        ReadOnlyMemory<float> mean = await generator.GenerateVectorAsync("The cat sat.", cancellationToken: Ct);
        ReadOnlyMemory<float> last = await generator.GenerateVectorAsync("The cat sat.", new() { AdditionalProperties = new() { ["pooling"] = "last" } }, Ct);
        ReadOnlyMemory<float> few = await generator.GenerateVectorAsync("The cat sat.", new() { Dimensions = 8, ModelId = DemoModel.Name }, Ct);

        Assert.NotEqual(mean.ToArray(), last.ToArray());
        Assert.Equal(8, few.Length);
        Assert.Empty(await generator.GenerateAsync([], cancellationToken: Ct));
        await Assert.ThrowsAnyAsync<Exception>(() => generator.GenerateAsync([new string('a', 100_000)], cancellationToken: Ct));
        await Assert.ThrowsAnyAsync<Exception>(() => generator.GenerateAsync(["x"], new() { Dimensions = 1 << 20 }, Ct));
        await Assert.ThrowsAnyAsync<Exception>(() => generator.GenerateAsync(["x"], new() { ModelId = "other" }, Ct));
    }

    [Fact]
    public async Task Generate_WhatCannotBeDone_IsRefusedByName()
    {
        using IEmbeddingGenerator<string, Embedding<float>> generator = Generator(false);
        Assert.Contains("colour", (await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync(["x"], new() { AdditionalProperties = new() { ["colour"] = 1 } }, Ct))).Message, StringComparison.Ordinal);
        Assert.Contains("max", (await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync(["x"], new() { AdditionalProperties = new() { ["pooling"] = "max" } }, Ct))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<NotSupportedException>(() => generator.GenerateAsync(["x"], new() { RawRepresentationFactory = _ => "raw" }, Ct));
        Assert.Equal("dimensions", Assert.IsType<InvalidRequestException>((await Assert.ThrowsAsync<ArgumentException>(() => generator.GenerateAsync(["x"], new() { Dimensions = 1 << 20 }, Ct))).InnerException).Parameter);
        string[] known = ["Dimensions", "ModelId", "AdditionalProperties", "RawRepresentationFactory"];
        Assert.Equal(known.Order(), typeof(EmbeddingGenerationOptions).GetProperties().Select(p => p.Name).Order());
    }

    private IEmbeddingGenerator<string, Embedding<float>> Generator(bool overHttp) => overHttp ? new HadalHttpEmbeddingGenerator(demo.Endpoint, DemoModel.Name) : demo.Model.AsEmbeddingGenerator();
}
