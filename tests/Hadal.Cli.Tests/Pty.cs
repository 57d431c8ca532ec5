using System.Diagnostics;
using System.Text;

namespace Hadal.Cli.Tests;

/// <summary>The command in a pseudo-terminal, which <c>script</c> of util-linux makes: what is typed comes from a terminal, Ctrl-C included.</summary>
internal sealed class Pty : IAsyncDisposable
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _unread = new();
    private readonly byte[] _buffer = new byte[4096];

    private Pty(Process process) => _process = process;

    public static Pty Start(params string[] arguments)
    {
        HadalProcess.SkipWhereInterruptsAreIgnored();
        string? script = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(p => Path.Combine(p, "script")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(script is null, "there is no script(1) of util-linux to make a pseudo-terminal with");
        string command = string.Join(' ', arguments.Prepend(HadalProcess.Executable).Select(a => $"'{a.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
        // exec: script has a shell run this, and one that stayed (dash does) would report Ctrl-C as its own end although the command goes on.
        return new Pty(HadalProcess.StartOther(script!, "-qec", "exec " + command, "/dev/null"));
    }

    public async Task TypeAsync(string text)
    {
        await _process.StandardInput.WriteAsync(text);
        await _process.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Reads until the text comes.</summary>
    /// <returns>What came up to its end.</returns>
    public async Task<string> ExpectAsync(string text)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(_patience);
        while (true)
        {
            string all = _unread.ToString();
            int at = all.IndexOf(text, StringComparison.Ordinal);
            if (at >= 0)
            {
                _unread.Remove(0, at + text.Length);
                return all[..(at + text.Length)];
            }

            int read;
            try
            {
                read = await _process.StandardOutput.BaseStream.ReadAsync(_buffer, timeout.Token);
            }
            catch (OperationCanceledException e)
            {
                throw new TimeoutException($"waited {_patience.TotalSeconds} s for '{text}'; there was: {all}", e);
            }

            Assert.True(read > 0, $"the terminal closed before '{text}' came; there was: {all}");
            // ASCII is all that is looked for.
            _unread.Append(Encoding.UTF8.GetString(_buffer, 0, read).Replace("\r", "", StringComparison.Ordinal));
        }
    }

    /// <returns>The command's exit code.</returns>
    public async Task<int> EndAsync()
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(_patience);
        while (await _process.StandardOutput.BaseStream.ReadAsync(_buffer, timeout.Token) > 0)
        {
            // What is left to say.
        }

        await _process.WaitForExitAsync(timeout.Token);
        return _process.ExitCode;
    }

    public ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
        return ValueTask.CompletedTask;
    }
}
