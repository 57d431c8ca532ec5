using System.Diagnostics;

namespace Hadal.Cli.Tests;

/// <summary>Runs the command as a person would, and keeps what it said.</summary>
internal sealed record HadalProcess(int ExitCode, string Output, string Error)
{
    public static string Executable { get; } = Path.Combine(AppContext.BaseDirectory, "hadal");

    /// <summary>Skips where Ctrl-C is ignored from above (a job that a shell put in the background): what is started here inherits that.</summary>
    public static void SkipWhereInterruptsAreIgnored()
    {
        string? ignored = OperatingSystem.IsLinux() ? File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith("SigIgn:", StringComparison.Ordinal)) : null;
        Assert.SkipWhen(ignored is not null && (Convert.ToUInt64(ignored[7..].Trim(), 16) & 2) != 0, "SIGINT is ignored here, as in background jobs of a shell");
    }

    public static Task<HadalProcess> RunAsync(params string[] arguments) => RunAsync(null, arguments);

    public static async Task<HadalProcess> RunAsync(string? input, string[] arguments)
    {
        using Process process = Start(arguments);
        if (input is not null)
        {
            await process.StandardInput.WriteAsync(input);
        }

        process.StandardInput.Close();
        return await EndAsync(process);
    }

    /// <summary>With bytes on standard input that need not be text.</summary>
    public static async Task<HadalProcess> RunBytesAsync(byte[] input, params string[] arguments)
    {
        using Process process = Start(arguments);
        await process.StandardInput.BaseStream.WriteAsync(input);
        process.StandardInput.Close();
        return await EndAsync(process);
    }

    public static Process Start(params string[] arguments) => StartOther(Executable, arguments);

    public static Process StartOther(string executable, params string[] arguments)
    {
        var start = new ProcessStartInfo(executable, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start)!;
    }

    public static async Task<HadalProcess> EndAsync(Process process)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        Task<string> error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(TimeSpan.FromMinutes(3));
        try
        {
            await process.WaitForExitAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return new HadalProcess(process.ExitCode, await output, await error);
    }

    /// <summary>It failed as it should: exit code 1, one line that begins with "error:", no stack trace.</summary>
    public void ExpectError(params string[] mentions)
    {
        Assert.True(ExitCode == 1, $"exit code {ExitCode}, expected 1\n{Output}\n{Error}");
        Assert.DoesNotContain("   at ", Error, StringComparison.Ordinal);
        string line = Assert.Single(Error.Split('\n'), l => l.StartsWith("error: ", StringComparison.Ordinal));
        foreach (string mention in mentions)
        {
            Assert.Contains(mention, line, StringComparison.OrdinalIgnoreCase);
        }
    }

    public HadalProcess ExpectSuccess()
    {
        Assert.True(ExitCode == 0, $"exit code {ExitCode}\n{Output}\n{Error}");
        return this;
    }
}
