using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace Hadal.Cli.Tests;

/// <summary><c>hadal batch</c> and <c>hadal embed</c> over the bundled model: every line answered once, whatever ends a run.</summary>
public sealed partial class BatchTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hadal-batch-").FullName;

    private string Input => Path.Combine(_folder, "in.jsonl");

    private string Output => Path.Combine(_folder, "out.jsonl");

    [Fact]
    public async Task Batch_OfEveryKind_AnswersEachLineOnceAndASecondRunNothing()
    {
        Write(
            Line("chat", "/v1/chat/completions", """{"model":"hadal-demo","messages":[{"role":"user","content":"Hello"}],"max_tokens":5,"temperature":0}"""),
            Line("text é", "/v1/completions", """{"model":"hadal-demo","prompt":"Once","max_tokens":4,"temperature":0}"""),
            Line("vector", "/v1/embeddings", """{"model":"hadal-demo","input":"Once","dimensions":4}"""),
            Line("bad", "/v1/completions", """{"model":"hadal-demo","prompt":7}"""),
            Line("other", "/v1/completions", """{"model":"gpt-4","prompt":"x"}"""),
            Line("stream", "/v1/completions", """{"model":"hadal-demo","prompt":"x","stream":true}"""),
            Line("url", "/v1/models", "{}"),
            Line("body", "/v1/completions", "[]"));
        (await HadalProcess.RunAsync("batch", Input, Output)).ExpectSuccess();
        Dictionary<string, JsonElement> answers = Answers();
        Assert.Equal(8, answers.Count);
        Assert.Equal((200, "chat.completion"), (Status(answers["chat"]), Body(answers["chat"]).GetProperty("object").GetString()));
        Assert.Equal(4, Body(answers["text é"]).GetProperty("usage").GetProperty("completion_tokens").GetInt32());
        Assert.Equal(4, Body(answers["vector"]).GetProperty("data")[0].GetProperty("embedding").GetArrayLength());
        Assert.Equal((400, "prompt"), (Status(answers["bad"]), Body(answers["bad"]).GetProperty("error").GetProperty("param").GetString()));
        Assert.Equal(404, Status(answers["other"]));
        Assert.Equal("invalid_body", answers["stream"].GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("invalid_url", answers["url"].GetProperty("error").GetProperty("code").GetString());
        Assert.Equal("invalid_body", answers["body"].GetProperty("error").GetProperty("code").GetString());
        Assert.All(answers.Values, a => Assert.StartsWith("batch_req_", a.GetProperty("id").GetString(), StringComparison.Ordinal));

        byte[] before = await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("batch", Input, Output)).ExpectSuccess();
        Assert.Equal(before, await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Batch_WithATornLastLine_AnswersThatOneAgain()
    {
        Write([.. Enumerable.Range(0, 12).Select(i => Line($"r{i}", "/v1/completions", """{"model":"hadal-demo","prompt":"Once","max_tokens":2}"""))]);
        (await HadalProcess.RunAsync("batch", Input, Output, "--in-flight", "3")).ExpectSuccess();
        byte[] whole = await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(Output, whole[..(whole.Length / 2)], TestContext.Current.CancellationToken);
        HadalProcess again = (await HadalProcess.RunAsync("batch", Input, Output)).ExpectSuccess();
        Assert.Contains("torn", again.Error, StringComparison.Ordinal);
        Assert.Equal(12, Answers().Count);
    }

    [Fact]
    public async Task Batch_Interrupted_GoesOnWhereItWas()
    {
        Write([.. Enumerable.Range(0, 400).Select(i => Line($"r{i}", "/v1/completions", """{"model":"hadal-demo","prompt":"Once upon","max_tokens":60,"ignore_eos":true}"""))]);
        using Process process = HadalProcess.Start("batch", Input, Output, "--in-flight", "4");
        process.StandardInput.Close();
        for (int i = 0; i < 600 && (!File.Exists(Output) || new FileInfo(Output).Length < 2000); i++)
        {
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }

        Assert.Equal(0, Kill(process.Id, 15));
        HadalProcess end = await HadalProcess.EndAsync(process);
        Assert.Equal(143, end.ExitCode);
        Assert.DoesNotContain("   at ", end.Error, StringComparison.Ordinal);
        int first = Answers().Count;
        Assert.InRange(first, 1, 399);
        (await HadalProcess.RunAsync("batch", Input, Output)).ExpectSuccess();
        Assert.Equal(400, Answers().Count);
    }

    [Theory]
    [InlineData("custom_id", "{\"method\":\"POST\",\"url\":\"/v1/completions\",\"body\":{}}")]
    [InlineData("custom_id", "{\"custom_id\":7}")]
    [InlineData("is no JSON", "{\"custom_id\":")]
    [InlineData("custom_id", "[]")]
    [InlineData("twice", "{\"custom_id\":\"a\",\"body\":{}}\n{\"custom_id\":\"a\",\"body\":{}}")]
    public async Task Batch_OfAFileThatIsNone_IsRefusedBeforeAnythingRuns(string mention, string text)
    {
        await File.WriteAllTextAsync(Input, text, TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("batch", Input, Output)).ExpectError(mention, Input);
        Assert.False(File.Exists(Output));
    }

    [Fact]
    public async Task Batch_IntoAnotherFilesAnswers_IsRefused()
    {
        Write(Line("a", "/v1/completions", "{}"));
        await File.WriteAllTextAsync(Output, "{\"custom_id\":\"b\",\"response\":null}\n", TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("batch", Input, Output)).ExpectError("belong together");
        await File.WriteAllTextAsync(Output, "important notes\n", TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("batch", Input, Output)).ExpectError("line 1 is no answer");
        Assert.Equal("important notes\n", await File.ReadAllTextAsync(Output, TestContext.Current.CancellationToken));
        (await HadalProcess.RunAsync("batch", Input, Input)).ExpectError("two files");
    }

    [Fact]
    public async Task Embed_OfLines_GivesVectorsInOrderAndGoesOnBehindATornLine()
    {
        await File.WriteAllLinesAsync(Input, ["{\"text\":\"one\",\"id\":\"x\"}", "", "{\"tokens\":[5,6,7]}", "{\"text\":\"three\"}"], TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("embed", "--input", Input, "--output", Output)).ExpectSuccess();
        string[] lines = await File.ReadAllLinesAsync(Output, TestContext.Current.CancellationToken);
        Assert.Equal([0, 1, 2], lines.Select(l => JsonDocument.Parse(l).RootElement.GetProperty("index").GetInt32()));
        Assert.Equal("x", JsonDocument.Parse(lines[0]).RootElement.GetProperty("id").GetString());
        Assert.Equal(1, JsonDocument.Parse(lines[1]).RootElement.GetProperty("embedding").EnumerateArray().Sum(v => v.GetDouble() * v.GetDouble()), 4);
        byte[] whole = await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(Output, whole[..(whole.Length / 2)], TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("embed", "--input", Input, "--output", Output)).ExpectSuccess();
        Assert.Equal(whole, await File.ReadAllBytesAsync(Output, TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("is no JSON", "{")]
    [InlineData("expected an object", "{\"txt\":\"a\"}")]
    [InlineData("ids are 0 to", "{\"tokens\":[99999]}")]
    [InlineData("no tokens", "{\"tokens\":[]}")]
    public async Task Embed_OfAWrongLine_NamesIt(string mention, string line)
    {
        await File.WriteAllTextAsync(Input, "{\"text\":\"fine\"}\n" + line + "\n", TestContext.Current.CancellationToken);
        (await HadalProcess.RunAsync("embed", "--input", Input)).ExpectError(mention, "text 1");
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Line(string id, string url, string body) => $"{{\"custom_id\":\"{id}\",\"method\":\"POST\",\"url\":\"{url}\",\"body\":{body}}}";

    private static int Status(JsonElement answer) => answer.GetProperty("response").GetProperty("status_code").GetInt32();

    private static JsonElement Body(JsonElement answer) => answer.GetProperty("response").GetProperty("body");

    private void Write(params string[] lines) => File.WriteAllLines(Input, lines);

    private Dictionary<string, JsonElement> Answers()
        => File.ReadAllLines(Output).Select(l => JsonDocument.Parse(l).RootElement).ToDictionary(a => a.GetProperty("custom_id").GetString()!, StringComparer.Ordinal);

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);
}
