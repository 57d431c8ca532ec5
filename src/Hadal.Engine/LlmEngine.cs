using System.Runtime.CompilerServices;
using Hadal.Engine.Requests;
using Hadal.Engine.Scheduling;
using Hadal.Graph.Execution;

namespace Hadal.Engine;

/// <summary>
/// Continuous batching over one model: callers submit from any thread, one thread of the engine's own steps the model.
/// </summary>
/// <remarks>
/// A token cancelled by the caller surfaces as <see cref="OperationCanceledException"/>, as everywhere in .NET: a cut answer can't be taken for a whole one.
/// <see cref="FinishReason.Cancelled"/> is what observers see then, and what readers see when the engine is disposed under them.
/// A request whose share of a step fails ends with <see cref="FinishReason.Error"/>; the others and the engine go on.
/// </remarks>
public sealed partial class LlmEngine : IEngine, IEmbeddingEngine
{
    private readonly IModelRunner _runner;
    private readonly EngineOptions _options;
    private readonly RequestChecker _checker;
    private readonly Inbox _inbox;
    private readonly RequestClock _clock;
    private readonly EngineLoop _loop;
    private readonly Thread? _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="runner">The model; the engine owns it and disposes it.</param>
    /// <param name="options">Limits and collaborators; null for the defaults.</param>
    /// <exception cref="Hadal.Numerics.HadalException">An option is out of bounds.</exception>
    public LlmEngine(IModelRunner runner, EngineOptions? options = null)
        : this(runner, options, startThread: true)
    {
    }

    // Tests step the engine themselves, to fix how steps, arrivals and cancellations interleave.
    internal LlmEngine(IModelRunner runner, EngineOptions? options, bool startThread)
    {
        ArgumentNullException.ThrowIfNull(runner);
        _runner = runner;
        _options = options ?? new EngineOptions();
        _options.Validate(runner.VocabSize);
        _options.Speculation?.Validate(runner);
        _checker = new RequestChecker(_options, runner.VocabSize, runner.MaxContextLen, runner.NumBlocks, runner.BlockSize, Adapters);
        _clock = new RequestClock(_options.TimeProvider, _options.AgeingInterval);
        _inbox = new Inbox(_options.MaxQueue, _options.MaxRunning);
        _loop = new EngineLoop(runner, _options, _inbox);
        EngineLog.Started(_options.Logger, runner.NumBlocks, runner.BlockSize, _options.MaxBatchedTokens, _options.MaxRunning);
        if (!startThread)
            return;
        _thread = new Thread(RunLoop) { IsBackground = true, Name = "hadal-engine" };
        _thread.Start();
    }

    /// <summary>Names of the LoRA adapters that requests may ask for.</summary>
    public IReadOnlyList<string> Adapters => (_runner as IAdapterRunner)?.Adapters ?? [];

    public int VocabSize => _runner.VocabSize;

    public int MaxContextLen => _runner.MaxContextLen;

    public string? Failure => _inbox.ClosedBy is { } reason and not ObjectDisposedException ? reason.Message : null;

    internal EngineLoop Loop => _loop;

    /// <summary>Checks the request now; queues it when the enumeration begins, which is when <see cref="QueueFullException"/> is thrown.</summary>
    public IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, CancellationToken cancellationToken = default)
        => StreamAsync(_checker.Check(request), cancellationToken);

    public EngineStats GetStats() => _loop.GetStats();

    /// <summary>Ends what runs and waits as <see cref="FinishReason.Cancelled"/>, waits for the step under way, and disposes the runner.</summary>
    public async ValueTask DisposeAsync()
    {
        _inbox.Stop();
        if (_thread is null && !_ended.Task.IsCompleted)
            EndLoop(fault: null);
        await _ended.Task.ConfigureAwait(false);
        _thread?.Join();
    }

    private async IAsyncEnumerable<GenerationEvent> StreamAsync(AdmittedRequest admitted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var request = new Request(admitted, _options.TimeProvider.GetTimestamp(), _clock);
        _inbox.Submit(request);
        // Told to the loop at once, not when the reader next looks: a reader may be busy sending what it has.
        await using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(_ => _inbox.Cancel(request), null);
        try
        {
            await foreach (GenerationEvent generated in request.Events.ReadAllAsync(cancellationToken).ConfigureAwait(false))
                yield return generated;
        }
        finally
        {
            if (!request.Events.Completion.IsCompleted)
                _inbox.Cancel(request);
        }
    }

    private void RunLoop()
    {
        Exception? fault = null;
        try
        {
            while (!_inbox.IsStopping)
            {
                if (!_loop.Step())
                    _inbox.Wait();
            }
        }
        catch (Exception e)
        {
            // The edge of the process' only engine thread: requests must end and later callers be told, whatever it was.
            EngineLog.LoopFailed(_options.Logger, e);
            fault = e;
        }

        EndLoop(fault);
    }

    private void EndLoop(Exception? fault)
    {
        try
        {
            _inbox.Close(fault is null
                ? new ObjectDisposedException(nameof(LlmEngine))
                : new EngineUnavailableException("The engine has stopped because its loop failed; restart the process. " + fault.Message, fault));
            _loop.FinishAll(fault is null ? FinishReason.Cancelled : FinishReason.Error, fault is null ? null : $"The engine has stopped because its loop failed: {fault.Message}");
        }
        finally
        {
            _loop.Dispose();
            _runner.Dispose();
            _ended.TrySetResult();
        }
    }
}
