using Microsoft.Extensions.Logging;

namespace Hadal.Server.Models;

/// <summary>One model's place: absent, loading, loaded or being unloaded, and who uses it. Thread-safe.</summary>
internal sealed class ModelSlot(ModelSource source, TimeProvider time, ILogger logger)
{
    private readonly Lock _lock = new();
    private Task<HostedModel>? _current = source.Resident is { } resident ? Task.FromResult(new HostedModel(resident, Unload: null)) : null;
    private Task _unloading = Task.CompletedTask;
    private int _numUsers;
    private long _lastUsed = time.GetTimestamp();

    public ModelSource Source => source;

    /// <summary>The model where it is loaded now.</summary>
    public ServedModel? Loaded
    {
        get
        {
            lock (_lock)
                return _current is { IsCompletedSuccessfully: true } current ? current.GetAwaiter().GetResult().Model : null;
        }
    }

    /// <summary>Loads the model if need be, and keeps it until the lease is disposed. Any number may wait for one loading; one that leaves ends it for nobody.</summary>
    public async ValueTask<Lease> AcquireAsync(CancellationToken cancellationToken)
    {
        Task<HostedModel> current;
        lock (_lock)
        {
            _numUsers++;
            current = _current ??= LoadAsync(_unloading);
        }

        try
        {
            var hosted = await current.WaitAsync(cancellationToken);
            return new Lease(this, hosted.Model);
        }
        catch
        {
            Release(failed: current);
            throw;
        }
    }

    /// <summary>Unloads the model if nobody has used it for so long.</summary>
    public async Task UnloadAsync(TimeSpan idle)
    {
        Task<HostedModel> current;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            if (_numUsers > 0 || _current is not { IsCompletedSuccessfully: true } loaded || source.Resident is not null || time.GetElapsedTime(_lastUsed) < idle)
                return;
            current = loaded;
            _current = null;
            _unloading = done.Task;
        }

        try
        {
            var hosted = await current;
            if (hosted.Unload is { } unload)
                await unload();
            Log.Unloaded(logger, source.Id);
        }
        catch (Exception exception)
        {
            // Nobody waits for this but the next loading, which must not fail for it.
            Log.UnloadFailed(logger, exception, source.Id);
        }
        finally
        {
            // What hung on the model (tokenizer tables, buffers' owners) goes now: that its memory comes back is why it was unloaded.
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            done.SetResult();
        }
    }

    private async Task<HostedModel> LoadAsync(Task unloading)
    {
        // Not both in memory at once.
        await unloading;
        Log.Loading(logger, source.Id);
        long start = time.GetTimestamp();
        try
        {
            var hosted = await Task.Run(() => source.LoadAsync(CancellationToken.None));
            double seconds = time.GetElapsedTime(start).TotalSeconds;
            Log.Loaded(logger, source.Id, seconds);
            return hosted;
        }
        catch (Exception exception)
        {
            Log.LoadFailed(logger, exception, source.Id);
            throw new ModelLoadException(source.Id, exception);
        }
    }

    private void Release(Task<HostedModel>? failed = null)
    {
        lock (_lock)
        {
            _numUsers--;
            _lastUsed = time.GetTimestamp();

            // The next one tries again.
            if (failed is { IsCompleted: true, IsCompletedSuccessfully: false } && _current == failed)
                _current = null;
        }
    }

    /// <summary>While it lives the model stays.</summary>
    internal sealed class Lease(ModelSlot owner, ServedModel model) : IDisposable
    {
        private ModelSlot? _owner = owner;

        public ServedModel Model => model;

        public void Dispose() => Interlocked.Exchange(ref _owner, null)?.Release();
    }
}
