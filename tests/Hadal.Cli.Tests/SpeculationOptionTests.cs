using System.Text.Json;

namespace Hadal.Cli.Tests;

/// <summary>--speculate as the person at the terminal meets it.</summary>
public sealed class SpeculationOptionTests
{
    [Theory]
    [InlineData("none, ngram, mtp and draft:PATH", "run", "--prompt", "x", "--speculate", "medusa")]
    [InlineData("none, ngram, mtp and draft:PATH", "bench", "--speculate", "draft:")]
    [InlineData("allowed is 1 to 16", "serve", "--speculate", "ngram", "--speculate-tokens", "17")]
    [InlineData("above 0 and at most 1", "run", "--prompt", "x", "--speculate", "mtp", "--speculate-relaxed", "0")]
    [InlineData("above 0 and at most 1", "run", "--prompt", "x", "--speculate", "mtp", "--speculate-relaxed", "NaN")]
    [InlineData("--speculate-tokens needs --speculate", "run", "--prompt", "x", "--speculate-tokens", "2")]
    [InlineData("--speculate-relaxed needs --speculate", "run", "--prompt", "x", "--speculate", "none", "--speculate-relaxed", "0.5")]
    public async Task Speculate_Wrong_Is2AndSaysWhatIsAllowed(string message, params string[] arguments)
    {
        HadalProcess run = await HadalProcess.RunAsync(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains(message, run.Error);
    }

    [Fact]
    public async Task Speculate_WhereItCannot_IsRefused()
    {
        string tiny = Path.Combine(Repository.Root, "tests", "goldens", "models", "deepseek_v3");
        (await HadalProcess.RunAsync("run", "--prompt", "x", "--speculate", "draft:" + tiny)).ExpectError("--speculate draft:", "the same vocabulary");
        (await HadalProcess.RunAsync("run", "--prompt", "x", "--speculate", "draft:/nowhere")).ExpectError("/nowhere");
        (await HadalProcess.RunAsync("bench", "--synthetic", "deepseek-v2-lite-small", "--layers", "1", "--speculate", "mtp")).ExpectError("Multi-token prediction", "deepseek_v2");
        (await HadalProcess.RunAsync("run", "--prompt", "x", "--speculate", "mtp", "--device", "cuda")).ExpectError("--speculate mtp runs on the CPU only", "ngram");
    }

    [Fact]
    public async Task Run_WithAnyMethod_SaysTheSame()
    {
        string demo = Path.Combine(Repository.Root, "models", "demo");
        JsonElement plain = await AnswerAsync("none");
        foreach (string method in new[] { "ngram", "mtp", "draft:" + demo })
        {
            JsonElement answer = await AnswerAsync(method);
            Assert.Equal(plain.GetProperty("text").GetString(), answer.GetProperty("text").GetString());
            if (method != "ngram")
            {
                Assert.True(answer.GetProperty("accepted_prediction_tokens").GetInt32() > 5, answer.ToString());
            }
        }

        static async Task<JsonElement> AnswerAsync(string method)
        {
            HadalProcess run = await HadalProcess.RunAsync(["run", "--prompt", "What is 12 + 7?", "--temperature", "0", "--json", "--speculate", method, .. method == "none" ? Array.Empty<string>() : ["--speculate-fixed"]]);
            return JsonDocument.Parse(run.ExpectSuccess().Output).RootElement;
        }
    }

    [Fact]
    public async Task Bench_OfSpeculation_ShowsSpeedUpAcceptanceAndWhatRelaxingCosts()
    {
        string questions = Path.Combine(Repository.Root, "tests", "goldens", "demo", "qa.jsonl");
        HadalProcess run = (await HadalProcess.RunAsync(
            "bench", "--speculate", "mtp", "--speculate-tokens", "2", "--speculate-fixed", "--speculate-relaxed", "0.1", "--prompts", questions, "--num-prompts", "8", "--decode", "48", "--batch", "4", "--repeat", "1")).ExpectSuccess();
        JsonElement report = JsonDocument.Parse(run.Output).RootElement;
        JsonElement c = report.GetProperty("cases")[0];
        Assert.Equal(8, c.GetProperty("answers").GetInt32());
        Assert.True(c.GetProperty("speed_up").GetDouble() > 0);
        Assert.Equal(2, c.GetProperty("acceptance_by_position").GetArrayLength());
        Assert.True(c.GetProperty("accepted").GetInt64() > 0);
        Assert.InRange(c.GetProperty("exact_match").GetDouble(), 0, 1);
        Assert.Contains("right answers:", run.Error);
        Assert.Contains("relaxed 0.1", run.Error);
        (await HadalProcess.RunAsync("bench", "--speculate", "ngram", "--prompts", Path.Combine(Repository.Root, "README.md"))).ExpectError("line 1", "JSON");
    }
}
