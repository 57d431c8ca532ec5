using System.Buffers;
using System.Threading.Channels;
using Hadal.Cli.Jsonl;
using Hadal.Cli.Output;
using Hadal.Server.InProcess;

namespace Hadal.Cli.Batch;

/// <summary>Sends the requests of a file through the API, so many at once, and appends each answer when it comes.</summary>
/// <param name="post">Url and body to answer.</param>
/// <param name="inFlight">Requests under way at once.</param>
internal sealed class BatchRunner(Func<string, byte[], CancellationToken, Task<InProcessAnswer>> post, int inFlight)
{
    // The engine's queue is full for a moment only: it holds more than are in flight, unless one line asks for many prompts.
    private static readonly TimeSpan _retryDelay = TimeSpan.FromMilliseconds(200);

    public int NumAnswered { get; private set; }

    /// <summary>Answers with a status of 400 or more, and lines that could not be sent.</summary>
    public int NumFailed { get; private set; }

    /// <param name="lines">What is to be sent, in this order.</param>
    /// <param name="output">Gets the answers, in the order they come.</param>
    /// <param name="bar">Told of each.</param>
    /// <param name="cancellationToken">Ends it: what is under way is cancelled and will be sent again by the next run.</param>
    public async Task RunAsync(IEnumerable<BatchLine> lines, JsonLinesOutput output, WorkProgressBar bar, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var answers = Channel.CreateBounded<(BatchLine Line, InProcessAnswer? Answer)>(inFlight);
        Task sending = SendAllAsync(lines, answers.Writer, stop.Token);
        try
        {
            var buffer = new ArrayBufferWriter<byte>();
            await foreach ((BatchLine line, InProcessAnswer? answer) in answers.Reader.ReadAllAsync(CancellationToken.None).ConfigureAwait(false))
            {
                buffer.ResetWrittenCount();
                if (answer is null)
                {
                    BatchOutput.WriteError(buffer, line.CustomId, line.Error!.Value.Code, line.Error.Value.Message);
                }
                else
                {
                    BatchOutput.Write(buffer, line.CustomId, answer);
                }

                output.Append(buffer.WrittenSpan);
                NumAnswered++;
                NumFailed += answer is null or { Status: >= 400 } ? 1 : 0;
                bar.Report(NumAnswered);
            }
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            output.Sync();
        }

        await sending.ConfigureAwait(false);
    }

    private async Task SendAllAsync(IEnumerable<BatchLine> lines, ChannelWriter<(BatchLine, InProcessAnswer?)> writer, CancellationToken cancellationToken)
    {
        try
        {
            var parallel = new ParallelOptions { MaxDegreeOfParallelism = inFlight, CancellationToken = cancellationToken };
            await Parallel.ForEachAsync(lines, parallel, async (line, stop) =>
            {
                InProcessAnswer? answer = line.Error is null ? await SendAsync(line, stop).ConfigureAwait(false) : null;
                await writer.WriteAsync((line, answer), stop).ConfigureAwait(false);
            }).ConfigureAwait(false);
        }
        finally
        {
            writer.Complete();
        }
    }

    private async Task<InProcessAnswer> SendAsync(BatchLine line, CancellationToken cancellationToken)
    {
        while (true)
        {
            InProcessAnswer answer = await post(line.Url, line.Body, cancellationToken).ConfigureAwait(false);
            if (answer.Status != 429)
            {
                return answer;
            }

            await Task.Delay(_retryDelay, cancellationToken).ConfigureAwait(false);
        }
    }
}
