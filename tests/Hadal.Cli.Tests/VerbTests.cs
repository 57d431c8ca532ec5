using System.Diagnostics;
using System.Text.Json;

namespace Hadal.Cli.Tests;

/// <summary>Every verb as the person at the terminal meets it.</summary>
public sealed class VerbTests
{
    [Theory]
    [InlineData("run")]
    [InlineData("serve")]
    [InlineData("bench")]
    [InlineData("logits")]
    [InlineData("eval")]
    [InlineData("tokenize")]
    [InlineData("embed")]
    [InlineData("batch")]
    [InlineData("canary")]
    [InlineData("explain")]
    [InlineData("inspect")]
    public async Task Help_OfVerb_HasAnExample(string verb)
    {
        HadalProcess run = (await HadalProcess.RunAsync(verb, "--help")).ExpectSuccess();
        Assert.Contains("Example", run.Output);
        Assert.Contains($"hadal {verb}", run.Output);
    }

    [Theory]
    [InlineData("--kv-dtype bf16 goes with --dtype bf16", "run", "--prompt", "x", "--device", "cuda", "--dtype", "f32", "--kv-dtype", "bf16")]
    [InlineData("--kv-dtype fp8 goes with --dtype bf16", "run", "--prompt", "x", "--device", "cuda", "--dtype", "f32", "--kv-dtype", "fp8")]
    [InlineData("--kv-dtype f32 goes with --dtype f32", "run", "--prompt", "x", "--device", "cuda", "--kv-dtype", "f32")]
    [InlineData("--kv-dtype fp8 is for --device cuda", "run", "--prompt", "x", "--kv-dtype", "fp8")]
    public async Task KvDtype_ThatDoesNotGoWithTheDevicesActivations_SaysWhatDoes(string message, params string[] arguments)
        => (await HadalProcess.RunAsync(arguments)).ExpectError(message);

    [Theory]
    [InlineData("run", "--no-such-option")]
    [InlineData("bench", "--threads", "many")]
    [InlineData("bench", "--threads", "-1")]
    [InlineData("bench", "--dtype", "f64")]
    [InlineData("bench", "--weight-dtype", "q3")]
    [InlineData("bench", "--device", "gpu")]
    [InlineData("bench", "--prompt", "-1")]
    [InlineData("bench", "--batch", "1,0")]
    [InlineData("bench", "--repeat", "0")]
    [InlineData("run", "--prompt", "x", "--max-tokens", "0")]
    [InlineData("run", "--prompt", "x", "--max-context", "0")]
    [InlineData("serve", "--max-running", "0")]
    [InlineData("serve", "--max-running", "64", "--max-batched-tokens", "63")]
    [InlineData("serve", "--max-running", "513", "--max-batched-tokens", "512")]
    [InlineData("serve", "--max-batched-tokens", "63")]
    [InlineData("serve", "--max-queue", "0")]
    [InlineData("serve", "--drain", "-1")]
    [InlineData("serve", "--port", "65536")]
    [InlineData("serve", "--host", "nowhere")]
    [InlineData("serve", "--host", "localhost", "--port", "0")]
    [InlineData("logits", "--input-ids", "x", "--output", "y", "--chunk", "-1")]
    [InlineData("logits")]
    [InlineData("nonsense")]
    public async Task Usage_Wrong_Is2AndSaysWhereHelpIs(params string[] arguments)
    {
        HadalProcess run = await HadalProcess.RunAsync(arguments);
        Assert.Equal(2, run.ExitCode);
        Assert.Contains("error: ", run.Error);
        Assert.Contains("--help", run.Error);
        if (arguments.Length > 2)
        {
            Assert.Contains(arguments[^2], run.Error);
        }
    }

    [Fact]
    public async Task Bench_TooLong_NamesTheOptionGiven()
    {
        (await HadalProcess.RunAsync("bench", "--prompt", "100000")).ExpectError("--prompt 100000", "the model takes 2048");
        (await HadalProcess.RunAsync("bench", "--prompt", "0", "--depth", "2000", "--decode", "64")).ExpectError("--depth 2000 with --decode 64", "2064");
        (await HadalProcess.RunAsync("bench", "--prompt", "200", "--max-context", "100")).ExpectError("--prompt 200", "--max-context is 100");
        (await HadalProcess.RunAsync("bench", "--prompt", "0", "--depth", "100", "--decode", "4", "--batch", "8", "--max-context", "104", "--kv-memory", "1MiB")).ExpectError("--batch 8", "--kv-memory");
        (await HadalProcess.RunAsync("bench", "--prompt", "0", "--batch", "65536", "--depth", "1900")).ExpectError("65536 sequences", "MiB");
    }

    [Fact]
    public async Task Serve_KeyFileWithoutAKey_IsRefused()
    {
        string file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "\n  \n", TestContext.Current.CancellationToken);
            (await HadalProcess.RunAsync("serve", "--port", "0", "--api-keys", file)).ExpectError("--api-keys", "holds no key");
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Run_StandardInputThatIsNoUtf8_IsAnError()
    {
        byte[] bad = [.. "Once upon"u8, 0xFF, .. " a time"u8];
        (await HadalProcess.RunBytesAsync(bad, "run", "--max-tokens", "1")).ExpectError("standard input", "offset 9");
        (await HadalProcess.RunBytesAsync([], "run", "--max-tokens", "1")).ExpectError("standard input is empty");
    }

    [Fact]
    public async Task Run_ArgumentThatIsNoUtf8_IsAnError()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the bytes of the command line are read from /proc");
        using Process process = HadalProcess.StartOther("/bin/sh", "-c", "exec \"$0\" run --max-tokens 1 --prompt \"$(printf 'a\\377b')\"", HadalProcess.Executable);
        process.StandardInput.Close();
        (await HadalProcess.EndAsync(process)).ExpectError("not UTF-8");
    }

    [Fact]
    public async Task Tokenize_LineThatIsNoText_IsNamed()
    {
        byte[] good = "{\"text\": \"é\"}\n"u8.ToArray();
        byte[] lines = [.. Enumerable.Repeat(good, 400).SelectMany(l => l), .. "{\"text\": \""u8, 0xC3, .. "\"}\n"u8];
        (await HadalProcess.RunBytesAsync(lines, "tokenize", "--jsonl", "-")).ExpectError("line 401", "UTF-8", "offset 10");
        (await HadalProcess.RunBytesAsync([.. good, .. "{\"text\": \"\\ud800\"}\n"u8], "tokenize", "--jsonl", "-")).ExpectError("line 2", "Unicode");
        HadalProcess marked = (await HadalProcess.RunBytesAsync([0xEF, 0xBB, 0xBF, .. good], "tokenize", "--jsonl", "-")).ExpectSuccess();
        Assert.Contains("\"decoded\":\"é\"", marked.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_Greedy_IsTheSameFusedAndUnfusedAndAgain()
    {
        string[] texts = new string[3];
        string[][] variants = [["--fusion", "none"], ["--fusion", "default"], ["--threads", "1", "--block-size", "4"]];
        for (int i = 0; i < texts.Length; i++)
        {
            HadalProcess run = (await HadalProcess.RunAsync(["run", "--raw", "--prompt", "Once upon a time", "--temperature", "0", "--max-tokens", "60", "--dtype", "f32", .. variants[i]])).ExpectSuccess();
            texts[i] = run.Output;
            Assert.Contains("60 tokens", run.Error);
            Assert.Contains("tokens/s", run.Error);
        }

        Assert.True(texts[0].Length > 100, texts[0]);
        Assert.All(texts, t => Assert.Equal(texts[0], t));
    }

    [Fact]
    public async Task Run_Json_HasTextAndCounts()
    {
        JsonElement answer = Json(await HadalProcess.RunAsync("run", "--raw", "--prompt", "Once upon a time", "--temperature", "0", "--max-tokens", "9", "--json"));
        Assert.Equal(9, answer.GetProperty("completion_tokens").GetInt32());
        Assert.Equal("length", answer.GetProperty("finish_reason").GetString());
        Assert.NotEmpty(answer.GetProperty("text").GetString()!);
    }

    [Fact]
    public async Task Run_SeedStopAndStandardInput_AreHonoured()
    {
        string[] sampled = ["run", "--raw", "--temperature", "1", "--seed", "11", "--max-tokens", "40"];
        HadalProcess first = (await HadalProcess.RunAsync("The little dog", sampled)).ExpectSuccess();
        HadalProcess again = (await HadalProcess.RunAsync("The little dog", sampled)).ExpectSuccess();
        HadalProcess other = (await HadalProcess.RunAsync("The little dog", ["run", "--raw", "--temperature", "1", "--seed", "12", "--max-tokens", "40"])).ExpectSuccess();
        Assert.Equal(first.Output, again.Output);
        Assert.NotEqual(first.Output, other.Output);
        HadalProcess stopped = (await HadalProcess.RunAsync("The little dog", [.. sampled, "--stop", " "])).ExpectSuccess();
        Assert.DoesNotContain(" ", stopped.Output.Trim());
    }

    [Fact]
    public async Task Run_Sum_IsThoughtThroughAndAnswered()
    {
        HadalProcess run = (await HadalProcess.RunAsync("run", "--temperature", "0", "--prompt", "Wendy had 5 sandwiches and found 6 more. How many sandwiches does she have now?")).ExpectSuccess();
        Assert.Matches(@"(?s)11.*</think>.*11", run.Output);
        Assert.DoesNotContain("end▁of▁sentence", run.Output);
    }

    [Theory]
    [InlineData("--temperature", "-1", "temperature")]
    [InlineData("--temperature", "NaN", "temperature")]
    [InlineData("--top-p", "2", "top_p")]
    [InlineData("--min-p", "-0.1", "min_p")]
    [InlineData("--repetition-penalty", "0", "repetition_penalty")]
    public async Task Run_ParameterOutOfBounds_IsNamed(string option, string value, string name)
        => (await HadalProcess.RunAsync("run", "--prompt", "x", option, value)).ExpectError(name);

    [Fact]
    public async Task Run_PromptOverTheContext_SaysTheNumbers()
        => (await HadalProcess.RunAsync(string.Concat(Enumerable.Repeat("very ", 4000)), ["run", "--raw"])).ExpectError("2048");

    [Fact]
    public async Task Run_ManyPinnedThreads_SaysTheSame()
    {
        string[] run = ["run", "--prompt", "One day", "--max-tokens", "12", "--temperature", "0"];
        string expected = (await HadalProcess.RunAsync([.. run, "--pin", "off"])).ExpectSuccess().Output;
        Assert.Equal(expected, (await HadalProcess.RunAsync([.. run, "--pin", "on", "--threads", "64"])).ExpectSuccess().Output);
        HadalProcess wrong = await HadalProcess.RunAsync([.. run, "--pin", "1"]);
        Assert.Equal(2, wrong.ExitCode);
        Assert.Contains("auto, on, off", wrong.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Eval_Demo_EqualsTheReference()
    {
        using JsonDocument expected = JsonDocument.Parse(await File.ReadAllTextAsync(Path.Combine(Repository.Goldens, "demo", "heldout_expected.json"), TestContext.Current.CancellationToken));
        double reference = expected.RootElement.GetProperty("nll_fp8_weights").GetDouble();
        string ids = Path.Combine(Repository.Goldens, "demo", "heldout_ids.npy");
        JsonElement exact = Json(await HadalProcess.RunAsync("eval", "--ids", ids, "--json"));
        Assert.Equal(20440, exact.GetProperty("tokens").GetInt32());
        Assert.InRange(exact.GetProperty("nll").GetDouble(), reference - 0.002, reference + 0.002);
        JsonElement packed = Json(await HadalProcess.RunAsync("eval", "--ids", ids, "--json", "--dtype", "auto", "--weight-dtype", "int8"));
        Assert.InRange(packed.GetProperty("nll").GetDouble(), reference - 0.01, reference + 0.01);
    }

    [Fact]
    public async Task Eval_Text_IsTokenizedAndCut()
    {
        string file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, string.Concat(Enumerable.Repeat("One day, a little dog went to the park. ", 40)), TestContext.Current.CancellationToken);
        JsonElement report = Json(await HadalProcess.RunAsync("eval", "--text", file, "--context", "64", "--json"));
        Assert.InRange(report.GetProperty("nll").GetDouble(), 0.1, 5);
        await File.WriteAllBytesAsync(file, [0x41, 0xFF, 0x42], TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("eval", "--text", file)).ExpectError("UTF-8", "offset 1");
        File.Delete(file);
    }

    [Theory]
    [InlineData("deepseek_v3")]
    [InlineData("qwen3")]
    [InlineData("llama3_1")]
    public async Task Tokenize_GoldenLines_AreEqual(string name)
    {
        string folder = Path.Combine(Repository.Root, "artifacts", "test-data", "tokenizers", name);
        Assert.True(Directory.Exists(folder), $"{folder} is missing: run eng/fetch-tokenizers.sh");
        string lines = Path.Combine(Repository.Goldens, "tokenizers", $"{name}.visible.jsonl");
        HadalProcess run = (await HadalProcess.RunAsync("tokenize", folder, "--jsonl", lines)).ExpectSuccess();
        string[] got = run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] want = await File.ReadAllLinesAsync(lines, TestContext.Current.CancellationToken);
        Assert.Equal(want.Length, got.Length);
        for (int i = 0; i < want.Length; i++)
        {
            using JsonDocument g = JsonDocument.Parse(got[i]);
            using JsonDocument w = JsonDocument.Parse(want[i]);
            Assert.Equal(w.RootElement.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32()), g.RootElement.GetProperty("ids").EnumerateArray().Select(e => e.GetInt32()));
            Assert.Equal(w.RootElement.GetProperty("decoded").GetString(), g.RootElement.GetProperty("decoded").GetString());
        }
    }

    [Theory]
    [InlineData("{\"text\": 1}", "line 2")]
    [InlineData("{\"txt\": \"a\"}", "line 2")]
    [InlineData("[1", "line 2")]
    public async Task Tokenize_BrokenLine_IsNamed(string line, string mention)
        => (await HadalProcess.RunAsync("{\"text\": \"fine\"}\n" + line + "\n", ["tokenize", "--jsonl", "-"])).ExpectError(mention);

    [Fact]
    public async Task Bench_Json_HasWhatATableNeeds()
    {
        JsonElement report = Json(await HadalProcess.RunAsync("bench", "--prompt", "16", "--decode", "4", "--batch", "1,3", "--depth", "8", "--repeat", "1"));
        Assert.Equal("hadal-demo", report.GetProperty("model").GetString());
        Assert.Equal(3, report.GetProperty("cases").GetArrayLength());
        Assert.All(report.GetProperty("cases").EnumerateArray(), c => Assert.True(c.GetProperty("tokens_per_second").GetDouble() > 0));
        foreach (string field in new[] { "command", "machine", "version", "instruction_sets", "weight_bytes_per_token", "peak_memory_bytes" })
        {
            Assert.True(report.TryGetProperty(field, out _), field);
        }
    }

    [Theory]
    [InlineData("q8_0", "Q8_0")]
    [InlineData("q4_0", "Q4_0")]
    [InlineData("q4_1", "Q4_1")]
    [InlineData("q5_0", "Q5_0")]
    [InlineData("q5_1", "Q5_1")]
    [InlineData("q4_k", "Q4_K", "Q8_0")]
    [InlineData("q5_k", "Q5_K", "Q5_1")]
    [InlineData("q6_k", "Q6_K", "Q8_0")]
    [InlineData("f16", "F16")]
    public async Task Bench_SyntheticGgufType_SaysWhatItsWeightsAre(string asked, params string[] types)
    {
        string[] model = ["--synthetic", "deepseek-v2-lite-small", "--layers", "2", "--weight-dtype", asked, "--json"];
        HadalProcess run = await HadalProcess.RunAsync(["bench", .. model[..^1], "--prompt", "8", "--decode", "2", "--repeat", "1"]);
        JsonElement report = Json(run);
        Assert.Equal(asked, report.GetProperty("weight_dtype").GetString());
        string rest = asked == "f16" ? "BF16" : "F32";
        Assert.Equal([.. types.Append(rest).Append("F32").Distinct().Order(StringComparer.Ordinal)], Types(report.GetProperty("stored_dtypes")));
        Assert.Equal(types.Length > 1, run.Error.Contains($"not whole blocks of 256; they are {types[^1].ToLowerInvariant()} instead", StringComparison.Ordinal));
        Assert.All(report.GetProperty("cases").EnumerateArray(), c => Assert.True(c.GetProperty("tokens_per_second").GetDouble() > 0));
        HadalProcess inspect = await HadalProcess.RunAsync(["inspect", .. model]);
        Assert.Equal(Types(report.GetProperty("stored_dtypes")), Types(Json(inspect).GetProperty("dtypes")));

        static string[] Types(JsonElement totals) => [.. totals.EnumerateArray().Select(t => t.GetProperty("dtype").GetString()!).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task WeightDtype_OfACheckpoint_IsStoredOrInt8()
    {
        foreach (string verb in new[] { "inspect", "bench" })
        {
            (await HadalProcess.RunAsync(verb, "--weight-dtype", "q4_0")).ExpectError("q4_0", "--synthetic");
        }
    }

    [Fact]
    public async Task ExplainAndInspect_GiveTextAndJson()
    {
        HadalProcess text = (await HadalProcess.RunAsync("explain")).ExpectSuccess();
        Assert.Contains("mla-absorption", text.Output);
        JsonElement explained = Json(await HadalProcess.RunAsync("explain", "--synthetic", "deepseek-v3", "--json"));
        Assert.True(explained.GetProperty("nodes_after").GetInt32() < explained.GetProperty("nodes_before").GetInt32());
        Assert.True(explained.GetProperty("planned_bytes_per_token").GetInt64() < explained.GetProperty("naive_bytes_per_token").GetInt64());
        JsonElement v3 = Json(await HadalProcess.RunAsync("inspect", "--synthetic", "deepseek-v3", "--json"));
        // 671 B in the paper, 37 B of them active.
        Assert.InRange(v3.GetProperty("parameters").GetInt64(), 670_000_000_000, 672_000_000_000);
        Assert.InRange(v3.GetProperty("active_parameters").GetInt64(), 36_000_000_000, 38_500_000_000);
        Assert.Equal(61 * 576 * 2, v3.GetProperty("kv_bytes_per_token_bf16").GetInt32());
    }

    private static JsonElement Json(HadalProcess run)
    {
        run.ExpectSuccess();
        using JsonDocument document = JsonDocument.Parse(run.Output);
        return document.RootElement.Clone();
    }
}
