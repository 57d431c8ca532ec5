using System.Text.Json;
using System.Text.RegularExpressions;

namespace Hadal.Server.Tests.Demo;

/// <summary>Speculation as clients and Prometheus see it.</summary>
public sealed class SpeculationTests(SpeculatingDemoServer demo) : IClassFixture<SpeculatingDemoServer>
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Chat_UnderSpeculation_SaysInItsUsageWhatWasGuessed(bool stream)
    {
        string body = """{"model":"hadal-demo","messages":[{"role":"user","content":"What is 12 + 7?"}],"temperature":0,"stream":STREAM,"stream_options":OPTIONS}"""
            .Replace("STREAM", stream ? "true" : "false", StringComparison.Ordinal).Replace("OPTIONS", stream ? """{"include_usage":true}""" : "null", StringComparison.Ordinal);
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using HttpResponseMessage response = await demo.Server.Client.PostAsync(new Uri("/v1/chat/completions", UriKind.Relative), content, TestContext.Current.CancellationToken);
        string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        string last = stream ? text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Last(l => l.Contains("\"usage\":{", StringComparison.Ordinal))["data: ".Length..] : text;
        using var json = JsonDocument.Parse(last);
        JsonElement usage = json.RootElement.GetProperty("usage");
        JsonElement details = usage.GetProperty("completion_tokens_details");
        int accepted = details.GetProperty("accepted_prediction_tokens").GetInt32();
        Assert.InRange(accepted, 5, usage.GetProperty("completion_tokens").GetInt32() - 1);
        Assert.True(details.GetProperty("rejected_prediction_tokens").GetInt32() > 0);
        if (!stream)
            Assert.Contains("19", text, StringComparison.Ordinal);

        string metrics = await demo.Server.GetTextAsync("/metrics");
        double[] drafted = [.. Positions("drafted", metrics)];
        double[] taken = [.. Positions("accepted", metrics)];
        Assert.Equal(3, drafted.Length);
        Assert.True(taken.Sum() >= accepted && drafted.Sum() > taken.Sum(), metrics);
        Assert.True(taken[0] >= taken[1] && taken[1] >= taken[2], "what comes later is accepted no more often");
        Assert.Contains("hadal_speculation_failed{", metrics, StringComparison.Ordinal);
        Assert.DoesNotMatch("hadal_speculation_failed\\{[^}]*\\} 1", metrics);
    }

    private static IEnumerable<double> Positions(string what, string metrics)
        => Enumerable.Range(0, 16).Select(p => Regex.Match(metrics, $"hadal_speculation_{what}_tokens_total\\{{[^}}]*position=\"{p}\"[^}}]*\\}} ([0-9.]+)"))
            .TakeWhile(m => m.Success).Select(m => double.Parse(m.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture));
}
