using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

/// <summary>Adapters are models of their own to clients, and names of adapters to the engine.</summary>
public sealed class AdapterTests
{
    [Fact]
    public async Task Adapter_AskedForAsModel_ReachesTheEngineByName()
    {
        var engine = new ScriptedEngine { Script = (_, _) => ServerFixture.Ids("ok") };
        ServedModel toy = ServerFixture.Toy(engine);
        await using var server = await ServerFixture.StartAsync([toy, toy.WithAdapter("pirate")]);
        var (status, body) = await server.SendAsync("/v1/chat/completions", """{"model":"pirate","messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal(200, status);
        Assert.Equal("pirate", body.GetProperty("model").GetString());
        Assert.Equal("pirate", engine.LastRequest!.Adapter);
        await server.SendAsync("/v1/completions", """{"model":"toy","prompt":["a","b"]}""");
        Assert.Null(engine.LastRequest!.Adapter);
        await server.SendAsync("/v1/completions", """{"model":"pirate","prompt":["a","b"]}""");
        Assert.Equal("pirate", engine.LastRequest!.Adapter);
        Assert.Equal(404, (await server.SendAsync("/v1/completions", """{"model":"parrot","prompt":"a"}""")).Status);
    }

    [Fact]
    public async Task Adapter_InTheList_HasItsParent()
    {
        ServedModel toy = ServerFixture.Toy(new ScriptedEngine());
        await using var server = await ServerFixture.StartAsync([toy, toy.WithAdapter("pirate")]);
        string list = await server.GetTextAsync("/v1/models");
        Assert.Contains("\"id\":\"pirate\"", list, StringComparison.Ordinal);
        Assert.Contains("\"root\":\"pirate\",\"parent\":\"toy/model\"", list, StringComparison.Ordinal);
        Assert.Contains("\"root\":\"toy/model\",\"parent\":null", list, StringComparison.Ordinal);

        // One engine, counted once.
        string metrics = await server.GetTextAsync("/metrics");
        Assert.Contains("hadal_kv_pages{", metrics, StringComparison.Ordinal);
        Assert.DoesNotContain("model=\"pirate\"", metrics, StringComparison.Ordinal);
    }
}
