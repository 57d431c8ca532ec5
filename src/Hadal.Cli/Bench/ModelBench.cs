using System.Diagnostics;
using Hadal.Graph.Execution;
using Hadal.Numerics;

namespace Hadal.Cli.Bench;

/// <summary>Times steps of the model itself: prompts and decoding, without scheduling. Where the runner chooses tokens itself, decoding takes the likeliest and goes on with it.</summary>
internal sealed class ModelBench : IDisposable
{
    private readonly IDeviceRunner _runner;
    private readonly StepBatch _batch;
    private readonly Random _random = new(7);

    public ModelBench(IDeviceRunner runner)
    {
        _runner = runner;
        _batch = new StepBatch(runner.BlockSize);
    }

    public BenchCase Prefill(int tokens, int repeat, CancellationToken cancellationToken)
    {
        int[] ids = Tokens(tokens);
        int[] table = Table(0, tokens);
        List<double> seconds = [];
        for (int r = -1; r < repeat; r++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long start = Stopwatch.GetTimestamp();
            _batch.Reset(1, table.Length);
            _batch.AddSequence(ids, 0, table, LogitsWanted.Last);
            _runner.Run(_batch);
            if (r >= 0)
            {
                seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
            }
        }

        return Case("prefill", 1, 0, tokens, 1, seconds);
    }

    /// <param name="batch">Sequences.</param>
    /// <param name="depth">Tokens in the pages beforehand.</param>
    /// <param name="steps">Tokens to decode in each.</param>
    /// <param name="repeat">Repetitions.</param>
    public BenchCase Decode(int batch, int depth, int steps, int repeat, CancellationToken cancellationToken)
    {
        int total = depth + steps;
        int[][] tables = [.. Enumerable.Range(0, batch).Select(b => Table(b, total))];
        int[] ids = Tokens(total);
        var sampler = _runner as ISamplingRunner;
        int[] next = new int[batch];
        RowSampling[] greedy = [.. Enumerable.Repeat(new RowSampling(Temperature: 0, TopP: 1, MinP: 0, TopK: 0, Uniform: 0), batch)];
        // Fill the pages in pieces; what lies there is real, so attention does real work.
        for (int b = 0; b < batch; b++)
        {
            for (int from = 0; from < depth; from += 512)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int n = Math.Min(512, depth - from);
                _batch.Reset(1, tables[b].Length);
                _batch.AddSequence(ids.AsSpan(from, n), from, tables[b], LogitsWanted.None);
                _runner.Run(_batch);
            }
        }

        // The profile is of decoding, not of filling.
        _runner.Profile?.Clear();
        List<double> seconds = [];
        for (int r = 0; r < repeat; r++)
        {
            Array.Fill(next, ids[depth]);
            long start = Stopwatch.GetTimestamp();
            for (int step = 0; step < steps; step++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                _batch.Reset(batch, tables[0].Length);
                for (int b = 0; b < batch; b++)
                {
                    _batch.AddSequence(sampler is null ? ids.AsSpan(depth + step, 1) : next.AsSpan(b, 1), depth + step, tables[b], LogitsWanted.Last);
                }

                if (sampler is null)
                {
                    _runner.Run(_batch);
                    continue;
                }

                // As in the engine: logits stay where they are.
                sampler.RunAndSample(_batch, greedy, next);
                if (next.Min() < 0)
                {
                    throw new HadalException($"Step {step} gave logits that are not finite.");
                }
            }

            seconds.Add(Stopwatch.GetElapsedTime(start).TotalSeconds);
        }

        return Case("decode", batch, depth, batch * steps, steps, seconds);
    }

    public void Dispose() => _batch.Dispose();

    private static BenchCase Case(string kind, int batch, int depth, int tokens, int steps, List<double> seconds)
        => new(kind, batch, depth, tokens, tokens / Median(seconds), tokens / seconds.Min(), Median(seconds) * 1e3 / steps, null, null);

    private static double Median(List<double> values)
    {
        List<double> sorted = [.. values.Order()];
        int middle = sorted.Count / 2;
        return sorted.Count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }

    private int[] Tokens(int count)
    {
        int[] ids = new int[count];
        for (int i = 0; i < count; i++)
        {
            ids[i] = _random.Next(_runner.VocabSize);
        }

        return ids;
    }

    private int[] Table(int sequence, int tokens)
    {
        int blocks = (tokens + _runner.BlockSize - 1) / _runner.BlockSize;
        return [.. Enumerable.Range(sequence * blocks, blocks)];
    }
}
