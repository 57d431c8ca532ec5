using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Hadal.Engine;

namespace Hadal.Server.Tests.Fakes;

/// <summary>
/// An engine that says what a script tells it to: the given token ids, or for each request what the prompt calls for. It detokenises, stops and counts
/// as the contract of <see cref="IEngine"/> has it, so that what the tests see is the server's doing.
/// </summary>
internal sealed class ScriptedEngine : IEngine
{
    private readonly ToyTokenizer _tokenizer = new();
    private int _running;
    private int _cancelled;
    private long _generated;

    public int VocabSize => _tokenizer.VocabSize;

    public int MaxContextLen { get; init; } = 512;

    /// <summary>The answer's tokens for a request and a choice; an end token is added unless <see cref="Endless"/>.</summary>
    public Func<GenerationRequest, int, int[]> Script { get; set; } = (_, _) => [];

    /// <summary>Repeats the script until max_tokens or cancellation.</summary>
    public bool Endless { get; set; }

    /// <summary>Waited for before each token; completed at once by default, which delivers a whole answer as one batch.</summary>
    public Func<CancellationToken, Task> BeforeToken { get; set; } = _ => Task.CompletedTask;

    /// <summary>Thrown at admission.</summary>
    public Exception? AdmissionFailure { get; set; }

    public string? Failure { get; set; }

    /// <summary>Ends the choice with an error event after so many tokens.</summary>
    public int? FailAfterTokens { get; set; }

    public GenerationRequest? LastRequest { get; private set; }

    public int Running => Volatile.Read(ref _running);

    public int Cancelled => Volatile.Read(ref _cancelled);

    public long Generated => Interlocked.Read(ref _generated);

    public async IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        if (AdmissionFailure is not null)
            throw AdmissionFailure;
        LastRequest = request;

        // Like the real one: produced by another thread than the reader's, into a channel that never makes it wait.
        var channel = Channel.CreateUnbounded<GenerationEvent>();
        Interlocked.Increment(ref _running);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var producer = Task.Run(() => ProduceAsync(request, channel.Writer, stop.Token), CancellationToken.None);
        bool isComplete = false;
        try
        {
            await foreach (var e in channel.Reader.ReadAllAsync(cancellationToken))
                yield return e;
            isComplete = true;
        }
        finally
        {
            if (!isComplete)
                Interlocked.Increment(ref _cancelled);
            await stop.CancelAsync();
            await producer.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            Interlocked.Decrement(ref _running);
        }
    }

    public EngineStats GetStats() => new()
    {
        Running = Running,
        KvBlocksTotal = 100,
        KvBlocksUsed = 7,
        KvBlocksCached = 3,
        GeneratedTokens = Generated,
        StepSeconds = 1.5,
    };

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private async Task ProduceAsync(GenerationRequest request, ChannelWriter<GenerationEvent> writer, CancellationToken cancellationToken)
    {
        try
        {
            for (int n = 0; n < request.Sampling.N; n++)
                await ProduceChoiceAsync(request, n, writer, cancellationToken);
            writer.TryComplete();
        }
        catch (Exception exception)
        {
            writer.TryComplete(exception);
        }
    }

    private async Task ProduceChoiceAsync(GenerationRequest request, int choice, ChannelWriter<GenerationEvent> writer, CancellationToken cancellationToken)
    {
        var sampling = request.Sampling;
        int[] script = Script(request, choice);
        int maxTokens = Math.Min(sampling.MaxTokens ?? int.MaxValue, MaxContextLen - request.PromptTokens.Count);
        var decoder = System.Text.Encoding.UTF8.GetDecoder();
        int holdBack = sampling.Stop.Count == 0 ? 0 : sampling.Stop.Max(s => s.Length) - 1;
        string held = "";
        for (int i = 0; ; i++)
        {
            await BeforeToken(cancellationToken);
            cancellationToken.ThrowIfCancellationRequested();
            bool atEnd = !Endless && i == script.Length;
            int id = atEnd ? ToyTokenizer.Eos : script[i % script.Length];
            Interlocked.Increment(ref _generated);
            var finish = atEnd ? FinishReason.Stop : i + 1 == maxTokens ? FinishReason.Length : (FinishReason?)null;
            if (FailAfterTokens == i)
                finish = FinishReason.Error;

            bool isHidden = atEnd || sampling.SkipSpecialTokens && _tokenizer.IsSpecial(id);
            var bytes = isHidden ? default : _tokenizer.TokenBytes(id);
            char[] chars = new char[bytes.Length + 2];
            int numChars = decoder.GetChars(bytes.Span, chars, flush: finish is not null);
            held += new string(chars, 0, numChars);

            string? stopString = null;
            foreach (string stop in sampling.Stop)
            {
                int at = held.IndexOf(stop, StringComparison.Ordinal);
                if (at >= 0)
                    (held, stopString, finish) = (held[..at], stop, FinishReason.Stop);
            }

            // What may become a stop string waits.
            string certain = finish is null ? held[..Math.Max(0, held.Length - holdBack)] : held;
            held = held[certain.Length..];
            writer.TryWrite(new GenerationEvent
            {
                ChoiceIndex = choice,
                TokenId = id,
                Text = certain,
                LogProb = sampling.LogProbs is { } top ? LogProb(id, top) : null,
                PromptLogProbs = i == 0 && sampling.PromptLogProbs is { } promptTop
                    ? [.. request.PromptTokens.Select((token, at) => at == 0 ? null : LogProb(token, promptTop))]
                    : null,
                FinishReason = finish,
                StopString = stopString,
                Error = finish == FinishReason.Error ? "secret internals: page 17" : null,
                Usage = new TokenUsage(request.PromptTokens.Count, i + 1, CachedTokens: choice == 0 ? 2 : 5),
            });
            if (finish is not null)
                return;
        }
    }

    private static TokenLogProb LogProb(int id, int top) =>
        new(id, -0.5f, [.. Enumerable.Range(0, top).Select(i => ((id + i) % 256, -0.5f - i))]);
}
