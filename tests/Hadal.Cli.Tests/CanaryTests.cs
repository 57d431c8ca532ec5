using System.Text.Json.Nodes;

namespace Hadal.Cli.Tests;

/// <summary>A model that does not agree with its fingerprint is not served, and the message says where and by how much.</summary>
public sealed class CanaryTests : IDisposable
{
    private readonly string _file = Path.Combine(Path.GetTempPath(), $"hadal-{Guid.NewGuid():N}.canary.json");

    [Fact]
    public async Task Canary_OfTheDemo_AgreesWithItsFingerprintInEveryType()
    {
        foreach (string[] how in new[] { [], ["--dtype", "auto"], ["--dtype", "auto", "--weight-dtype", "int8"], new[] { "--fusion", "none" } })
        {
            Assert.Contains("agrees", (await HadalProcess.RunAsync(["canary", .. how])).ExpectSuccess().Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Canary_OfAChangedFingerprint_FailsWithExpectedAndFound()
    {
        (await HadalProcess.RunAsync("canary", "--write", _file)).ExpectSuccess();
        (await HadalProcess.RunAsync("canary", "--check", _file)).ExpectSuccess();
        JsonNode json = JsonNode.Parse(await File.ReadAllTextAsync(_file, TestContext.Current.CancellationToken))!;
        float logit = json["places"]![3]!["logits"]![2]!.GetValue<float>();
        json["places"]![3]!["logits"]![2] = logit + 1;
        await File.WriteAllTextAsync(_file, json.ToJsonString(), TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("canary", "--check", _file)).ExpectError("after token 15", $"was {logit + 1}", "may differ by 0.002");
        (await HadalProcess.RunAsync("serve", "--port", "0", "--canary", _file)).ExpectError("not served", "may differ by 0.5");
        json["tokens"]![1] = 7;
        await File.WriteAllTextAsync(_file, json.ToJsonString(), TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("canary", "--check", _file)).ExpectError("tokenizer");
        json["num_hidden_layers"] = 7;
        await File.WriteAllTextAsync(_file, json.ToJsonString(), TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("canary", "--check", _file)).ExpectError("7 layers");
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("{\"format\":\"hadal-canary-1\",\"model_type\":\"x\",\"vocab_size\":4,\"num_hidden_layers\":1,\"dtype\":\"f32\",\"prompt\":\"\",\"tokens\":[1],\"places\":[{\"position\":9,\"ids\":[1],\"logits\":[1]}]}")]
    [InlineData("{\"format\":\"hadal-canary-1\",\"model_type\":\"x\",\"vocab_size\":4,\"num_hidden_layers\":1,\"dtype\":\"f32\",\"prompt\":\"\",\"tokens\":[1],\"places\":[null]}")]
    public async Task Canary_OfADamagedFingerprint_SaysSo(string text)
    {
        await File.WriteAllTextAsync(_file, text, TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("canary", "--check", _file)).ExpectError("fingerprint", _file);
    }

    [Fact]
    public async Task Canary_OfNoFile_SaysHowToMakeOne()
        => (await HadalProcess.RunAsync("serve", "--port", "0", "--canary", _file)).ExpectError("is not there", "--write");

    public void Dispose() => File.Delete(_file);
}
