using Hadal.Server.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hadal.Server;

/// <summary>
/// Stops in order. On a stop signal new generations get 503 (as does /health, so that a load balancer looks elsewhere) while the socket stays open;
/// running ones go on for at most DrainTimeout and are cancelled then. Only after that the host closes the socket.
/// </summary>
internal sealed class ServerLifecycle(HadalServerOptions options, ILogger<ServerLifecycle> logger) : IHostedLifecycleService, IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _hardStop = new();
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _numActive;
    private bool _isDraining;

    public bool IsDraining
    {
        get
        {
            lock (_lock)
                return _isDraining;
        }
    }

    /// <summary>Cancelled when the time to drain is over.</summary>
    public CancellationToken HardStop => _hardStop.Token;

    /// <exception cref="ApiException">The server is shutting down.</exception>
    public Lease Enter()
    {
        lock (_lock)
        {
            if (_isDraining)
                throw ApiException.ShuttingDown();
            _numActive++;
        }

        return new Lease(this);
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        int numActive;
        lock (_lock)
        {
            _isDraining = true;
            numActive = _numActive;
            if (numActive == 0)
                _drained.TrySetResult();
        }

        Log.Draining(logger, numActive, options.DrainTimeout.TotalSeconds);
        try
        {
            await _drained.Task.WaitAsync(options.DrainTimeout, options.TimeProvider, cancellationToken);
        }
        catch (Exception exception) when (exception is TimeoutException or OperationCanceledException)
        {
            Log.DrainTimedOut(logger);
        }

        await _hardStop.CancelAsync();
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _hardStop.Dispose();

    private void Leave()
    {
        lock (_lock)
        {
            if (--_numActive == 0 && _isDraining)
                _drained.TrySetResult();
        }
    }

    /// <summary>One running generation; disposed exactly once, by its <c>using</c>.</summary>
    internal readonly struct Lease(ServerLifecycle owner) : IDisposable
    {
        public void Dispose() => owner.Leave();
    }
}
