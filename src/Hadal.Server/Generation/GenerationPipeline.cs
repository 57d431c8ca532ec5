using Hadal.Engine;
using Hadal.Server.Access;
using Hadal.Server.Http;
using Hadal.Server.Requests;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Hadal.Server.Generation;

/// <summary>Carries a job's events from the engine to the client: the only place that knows of both time and errors on that way.</summary>
internal sealed class GenerationPipeline(HadalServerOptions options, ServerLifecycle lifecycle, ServerMetrics metrics, ILogger<GenerationPipeline> logger)
{
    // Tokens that are there already are written without a flush between them, up to this much.
    private const int FlushThresholdBytes = 16 << 10;

    public long UnixSecondsNow() => options.TimeProvider.GetUtcNow().ToUnixTimeSeconds();

    public async Task CollectAsync(HttpContext context, GenerationJob job, ICollectedAnswer answer)
    {
        using var lease = lifecycle.Enter();
        using var account = Account.Open(context, job);
        job = Admit(context, job);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifecycle.HardStop);
        var timer = new GenerationTimer(metrics, options.TimeProvider, job.Model.Id, job.NumChoices);
        int numFinished = 0;
        await foreach (var e in PromptMerger.RunAsync(job, cancel.Token))
        {
            numFinished += Check(job, e, timer, account, cancel.Token);
            answer.Add(e);
        }

        CheckEnd(job, numFinished, cancel.Token);
        timer.End();
        await using var body = JsonResponse.Begin(context);
        answer.WriteTo(body.Json);
        await body.CompleteAsync();
    }

    public async Task StreamAsync(HttpContext context, GenerationJob job, SseWriter sse, IStreamedAnswer answer)
    {
        using var lease = lifecycle.Enter();
        using var account = Account.Open(context, job);
        job = Admit(context, job);
        using var cancel = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifecycle.HardStop);
        var timer = new GenerationTimer(metrics, options.TimeProvider, job.Model.Id, job.NumChoices);
        bool begun = false;
        try
        {
            await using var events = PromptMerger.RunAsync(job, cancel.Token).GetAsyncEnumerator(CancellationToken.None);

            // The engine refuses a request on the first move. Until then nothing is sent, so that the refusal has its status.
            var firstMove = events.MoveNextAsync().AsTask();
            if (!firstMove.IsCompleted)
                await Task.WhenAny(firstMove, Task.Delay(options.StreamStartDelay, options.TimeProvider, cancel.Token));
            if (firstMove.IsCompleted || cancel.IsCancellationRequested)
                await firstMove;

            begun = true;
            SseWriter.SetHeaders(context);
            answer.Begin();
            int numFinished = 0;
            bool hasEvent = await FlushDuringAsync(new ValueTask<bool>(firstMove), sse, cancel);
            while (hasEvent)
            {
                var e = events.Current;
                numFinished += Check(job, e, timer, account, cancel.Token);
                answer.Write(e);
                if (sse.UnflushedBytes > FlushThresholdBytes)
                    await sse.FlushAsync();
                hasEvent = await FlushDuringAsync(events.MoveNextAsync(), sse, cancel);
            }

            CheckEnd(job, numFinished, cancel.Token);
            timer.End();
            answer.End();
            if (answer.EndsWithDone)
                sse.Done();
            await sse.FlushAsync();
        }
        catch (Exception exception) when (begun)
        {
            await EndBrokenStreamAsync(context, sse, answer, exception);
        }
    }

    /// <summary>
    /// Awaits a move, and uses the time to flush where there is any: so what came together leaves together, and nothing waits for the next token.
    /// An enumeration must not be disposed while it moves, so a flush that fails still waits for the move to end.
    /// </summary>
    private static async ValueTask<bool> FlushDuringAsync(ValueTask<bool> move, SseWriter sse, CancellationTokenSource cancel)
    {
        if (move.IsCompleted)
            return await move;
        try
        {
            await sse.FlushAsync();
        }
        catch
        {
            await cancel.CancelAsync();
            await ((Task)move.AsTask()).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        return await move;
    }

    /// <summary>The job with what its caller may and what the server allows.</summary>
    private GenerationJob Admit(HttpContext context, GenerationJob job)
    {
        if (options.LogPrompts && logger.IsEnabled(LogLevel.Information) && context.Features.Get<RequestTrace>() is { } trace)
        {
            foreach (int[] prompt in job.Prompts)
            {
                string text = job.Model.Tokenizer.Decode(prompt);
                Log.Prompt(logger, trace.Id, job.Model.Id, text);
            }
        }

        var sampling = job.Sampling;
        if (options.MaxTokens is { } maxTokens)
        {
            if (sampling.MaxTokens > maxTokens)
                throw ApiException.Invalid("max_tokens", $"'max_tokens' is {sampling.MaxTokens}; this server's answers have at most {maxTokens} tokens.", "invalid_value");
            sampling = sampling with { MaxTokens = sampling.MaxTokens ?? maxTokens };
        }

        var caller = context.Features.Get<Caller>();
        var timeout = job.Terms.Timeout is { } wanted && (options.RequestTimeout is not { } limit || wanted < limit) ? wanted : options.RequestTimeout;
        return job with
        {
            Sampling = sampling,
            Tenant = caller?.Tenant ?? "",
            Terms = new RequestTerms(job.Terms.Priority ?? caller?.Priority ?? 0, timeout),
        };
    }

    /// <returns>1 where the event ends its choice.</returns>
    private static int Check(GenerationJob job, in PromptEvent e, GenerationTimer timer, Account account, CancellationToken cancelled)
    {
        switch (e.Event.FinishReason)
        {
            case FinishReason.Error:
                if (job.Model.Engine.Failure is { } failure)
                    throw new EngineUnavailableException(failure);
                throw new EngineFailedException($"The engine ended choice {e.Event.ChoiceIndex} with: {e.Event.Error ?? "no reason given"}");
            case FinishReason.Cancelled:
                // Not by us: then the engine itself is going down.
                cancelled.ThrowIfCancellationRequested();
                throw ApiException.ShuttingDown();
        }

        if (e.Event.TokenId >= 0)
        {
            account.NumAnswerTokens++;
            timer.Token(job.ChoiceOf(e));
        }

        return e.Event.FinishReason is null ? 0 : 1;
    }

    private static void CheckEnd(GenerationJob job, int numFinished, CancellationToken cancelled)
    {
        if (numFinished == job.NumChoices)
            return;
        cancelled.ThrowIfCancellationRequested();
        throw new EngineFailedException($"The engine ended {numFinished} of {job.NumChoices} choices and then went silent.");
    }

    private async Task EndBrokenStreamAsync(HttpContext context, SseWriter sse, IStreamedAnswer answer, Exception exception)
    {
        var trace = context.Features.GetRequiredFeature<RequestTrace>();
        if (context.RequestAborted.IsCancellationRequested)
        {
            trace.Outcome ??= Outcomes.Cancelled;
            if (exception is SlowReaderException)
                Log.SlowReader(logger, trace.Id, options.SlowReaderTimeout.TotalSeconds);
            return;
        }

        bool isShutdown = exception is OperationCanceledException && lifecycle.HardStop.IsCancellationRequested;
        var error = isShutdown ? ApiException.ShuttingDown() : ApiError.From(exception, trace.Id);
        trace.Outcome = Outcomes.Of(error.Status);
        if (error.Status == 500)
            Log.RequestFailed(logger, exception, trace.Id, ApiMiddleware.RouteOf(context));

        answer.Fail(error);
        await sse.FlushAsync();
    }
}
