using System.Diagnostics;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Hadal.Cli.Tests;

/// <summary>Ctrl-C and SIGTERM: what they end, and how soon.</summary>
public sealed partial class InterruptTests : IDisposable
{
    private const int SigInt = 2, SigTerm = 15;

    private readonly EndlessModel _model = new();

    [Theory]
    [InlineData(SigInt, 130)]
    [InlineData(SigTerm, 143)]
    public async Task Run_InterruptedWhileAnswering_EndsAtOnceAndSaysSo(int signal, int exitCode)
    {
        HadalProcess.SkipWhereInterruptsAreIgnored();
        using Process process = HadalProcess.Start(["run", _model.Folder, "--raw", "--prompt", "Once upon a time", "--max-tokens", "2000", .. EndlessModel.Slowly]);
        process.StandardInput.Close();
        char[] some = new char[8];
        Assert.True(await process.StandardOutput.ReadAsync(some.AsMemory(), TestContext.Current.CancellationToken) > 0);
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, Kill(process.Id, signal));
        HadalProcess end = await HadalProcess.EndAsync(process);
        Assert.True(end.ExitCode == exitCode, $"exit code {end.ExitCode}: {end.Error}");
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.Contains("interrupted", end.Error);
        Assert.DoesNotContain("   at ", end.Error);
    }

    [Fact]
    public async Task Run_InterruptedWhileItWaitsForInput_EndsWithinSeconds()
    {
        HadalProcess.SkipWhereInterruptsAreIgnored();
        using Process process = HadalProcess.Start("run", "--raw");
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, Kill(process.Id, SigInt));
        HadalProcess end = await HadalProcess.EndAsync(process);
        Assert.Equal(130, end.ExitCode);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.DoesNotContain("   at ", end.Error);
    }

    [Fact]
    public async Task Serve_ToldToStop_LetsAnswersEnd()
    {
        using Process process = HadalProcess.Start("serve", _model.Folder, "--port", "0", "--threads", "1", "--fusion", "none", "--dtype", "f32", "--max-running", "4", "--drain", "120");
        string? line;
        do
        {
            line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken);
        }
        while (line is not null && !Address().IsMatch(line));

        Assert.NotNull(line);
        using var http = new HttpClient { BaseAddress = new Uri(Address().Match(line).Value), Timeout = TimeSpan.FromMinutes(2) };
        // Longer than the two seconds that other commands get to end.
        var request = new { model = Path.GetFileName(_model.Folder), prompt = "Once upon a time", max_tokens = 600, n = 4, ignore_eos = true, temperature = 1, stream = true };
        using var message = new HttpRequestMessage(HttpMethod.Post, "/v1/completions") { Content = JsonContent.Create(request) };
        using HttpResponseMessage response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
        Assert.NotNull(await reader.ReadLineAsync(TestContext.Current.CancellationToken));
        var clock = Stopwatch.StartNew();
        Assert.Equal(0, Kill(process.Id, SigTerm));
        string rest = await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(clock.Elapsed < TimeSpan.FromSeconds(2.2), "this machine answers too fast for the test to say anything");
        Assert.Equal(4, Length().Count(rest));
        Assert.EndsWith("data: [DONE]", rest.TrimEnd());
        Assert.Equal(0, (await HadalProcess.EndAsync(process)).ExitCode);
    }

    [Fact]
    public async Task Chat_InATerminal_AnswersForgetsAndEnds()
    {
        await using Pty pty = Pty.Start("run", "--temperature", "0");
        await pty.ExpectAsync("> ");
        await pty.TypeAsync("Wendy had 5 sandwiches and found 6 more. How many sandwiches does she have now?\n");
        Assert.Matches(@"(?s)11.*\[\d+ prompt tokens.* tokens/s", await pty.ExpectAsync("\n> "));
        string first = await AskAsync("Tell me about a dog.");
        await pty.TypeAsync("/reset\n");
        await pty.ExpectAsync("\n> ");
        string again = await AskAsync("Tell me about a dog.");
        // The question alone is a shorter prompt than the conversation with it.
        Assert.True(PromptTokens(again) < PromptTokens(first), first + again);
        await pty.TypeAsync("/exit\n");
        Assert.Equal(0, await pty.EndAsync());

        async Task<string> AskAsync(string question)
        {
            await pty.TypeAsync(question + "\n");
            return await pty.ExpectAsync("\n> ");
        }
    }

    [Fact]
    public async Task Chat_InterruptedWhileAnswering_GoesOn()
    {
        await using Pty pty = Pty.Start(["run", _model.Folder, "--max-tokens", "1500", .. EndlessModel.Slowly]);
        await pty.ExpectAsync("> ");
        for (int round = 0; round < 2; round++)
        {
            await pty.TypeAsync("Tell me a long story.\n");
            // The question's echo, then the beginning of an answer.
            await pty.ExpectAsync("long story.");
            await pty.ExpectAsync("e");
            await pty.TypeAsync("\x03");
            Assert.Contains("; interrupted]", await pty.ExpectAsync("\n> "));
        }

        // Longer than an interrupted command may live.
        await Task.Delay(TimeSpan.FromSeconds(2.5), TestContext.Current.CancellationToken);
        await pty.TypeAsync("/reset\n");
        await pty.ExpectAsync("\n> ");
        await pty.TypeAsync("/exit\n");
        Assert.Equal(0, await pty.EndAsync());
    }

    [Fact]
    public async Task Chat_InterruptedAtThePrompt_Ends()
    {
        await using Pty pty = Pty.Start("run");
        await pty.ExpectAsync("> ");
        await pty.TypeAsync("\x03");
        Assert.Equal(130, await pty.EndAsync());
    }

    [Fact]
    public async Task Chat_AtTheEndOfInput_Ends()
    {
        await using Pty pty = Pty.Start("run");
        await pty.ExpectAsync("> ");
        // Typed before .NET reads, the terminal makes nothing of it.
        await Task.Delay(TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        await pty.TypeAsync("\x04");
        Assert.Equal(0, await pty.EndAsync());
    }

    public void Dispose() => _model.Dispose();

    private static int PromptTokens(string answer) => int.Parse(PromptTokenCount().Match(answer).Groups[1].Value);

    [GeneratedRegex(@"http://[0-9.:]+")]
    private static partial Regex Address();

    [GeneratedRegex("\"finish_reason\":\"length\"")]
    private static partial Regex Length();

    [GeneratedRegex(@"\[(\d+) prompt tokens")]
    private static partial Regex PromptTokenCount();

    [LibraryImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int process, int signal);
}
