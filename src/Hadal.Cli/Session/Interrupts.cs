using System.Runtime.InteropServices;

namespace Hadal.Cli.Session;

/// <summary>
/// What Ctrl-C and SIGTERM do. The first ends the command by its token and, if it has not ended <see cref="Grace"/> later, the process; the second ends the
/// process at once.
/// </summary>
/// <remarks>
/// Not left to System.CommandLine: it ends the command at every Ctrl-C, also one that is for an answer within a chat, and never waits more than a fixed time,
/// also for a server that lets its answers end.
/// </remarks>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _end = new();
    private readonly PosixSignalRegistration[] _registrations;
    private Action? _instead;
    private Timer? _timer;

    public Interrupts()
    {
        _registrations = [PosixSignalRegistration.Create(PosixSignal.SIGINT, OnSignal), PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal)];
    }

    /// <summary>Ends the command.</summary>
    public CancellationToken Token => _end.Token;

    /// <summary>How long a command may take to end; infinite for one that bounds that itself.</summary>
    public TimeSpan Grace { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>128 and the number of the signal, as shells have it.</summary>
    public int ExitCode { get; private set; } = 130;

    /// <summary>Until the result is disposed, Ctrl-C does this, once, instead of ending the command. Called on another thread.</summary>
    public IDisposable Redirect(Action instead)
    {
        Volatile.Write(ref _instead, instead);
        return new Redirection(this);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }

        _timer?.Dispose();
        _end.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        if (context.Signal == PosixSignal.SIGINT && Interlocked.Exchange(ref _instead, null) is { } instead)
        {
            context.Cancel = true;
            instead();
            return;
        }

        if (_end.IsCancellationRequested)
        {
            // Not left to the operating system: the web host would have it do nothing.
            Environment.Exit(ExitCode);
        }

        context.Cancel = true;
        ExitCode = context.Signal == PosixSignal.SIGTERM ? 143 : 130;
        if (Grace != Timeout.InfiniteTimeSpan)
        {
            _timer = new Timer(_ => Environment.Exit(ExitCode), null, Grace, Timeout.InfiniteTimeSpan);
        }

        _end.Cancel();
    }

    private sealed class Redirection(Interrupts interrupts) : IDisposable
    {
        public void Dispose() => Volatile.Write(ref interrupts._instead, null);
    }
}
