using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Optimize.Sensitivity;

/// <summary>What the model says of a text, kept to compare others with: log-probabilities of every token at every position.</summary>
/// <remarks>Runs on the kernels that serving uses (<c>--dtype auto</c>), rounding of activations included: what is told apart is what users will see.</remarks>
public sealed class ReferenceLogits
{
    private readonly IReadOnlyList<int[]> _rows;
    private readonly List<float[]> _logProbs = [];
    private readonly int _threads;

    private ReferenceLogits(IReadOnlyList<int[]> rows, int threads)
    {
        _rows = rows;
        _threads = threads;
    }

    /// <summary>Mean negative log-likelihood of the text's tokens, nats.</summary>
    public double Nll { get; private set; }

    public int NumTokens => _rows.Sum(r => r.Length - 1);

    public static ReferenceLogits Of(ModelConfig config, ITensorSource source, IReadOnlyList<int[]> rows, int threads, CancellationToken cancellationToken)
    {
        var reference = new ReferenceLogits(rows, threads);
        double nll = 0;
        reference.Run(config, source, (row, position, logits) =>
        {
            float[] logProbs = LogSoftmax(logits);
            reference._logProbs.Add(logProbs);
            nll -= logProbs[row[position + 1]];
        }, cancellationToken);
        reference.Nll = nll / reference.NumTokens;
        return reference;
    }

    /// <summary>How far another set of weights is from this one on the same text.</summary>
    public Divergence Compare(ModelConfig config, ITensorSource source, CancellationToken cancellationToken)
    {
        double kl = 0;
        double nll = 0;
        int same = 0;
        int at = 0;
        Run(config, source, (row, position, logits) =>
        {
            float[] p = _logProbs[at++];
            float[] q = LogSoftmax(logits);
            double sum = 0;
            int bestP = 0;
            int bestQ = 0;
            for (int i = 0; i < p.Length; i++)
            {
                sum += Math.Exp(p[i]) * ((double)p[i] - q[i]);
                bestP = p[i] > p[bestP] ? i : bestP;
                bestQ = q[i] > q[bestQ] ? i : bestQ;
            }

            kl += sum;
            nll -= q[row[position + 1]];
            same += bestP == bestQ ? 1 : 0;
        }, cancellationToken);
        return new Divergence(Math.Max(0, kl / NumTokens), (nll / NumTokens) - Nll, same / (double)NumTokens);
    }

    private void Run(ModelConfig config, ITensorSource source, Action<int[], int, ReadOnlySpan<float>> receive, CancellationToken cancellationToken)
    {
        // Not disposed: what it wraps is the caller's, and what it made is dropped as it is packed.
        ITensorSource unpacked = PackedTensorSource.Wrap(source);
        int longest = _rows.Max(r => r.Length);
        using LoadedModel model = ModelLoader.Load(config, unpacked, new LoadOptions
        {
            Cpu = new CpuOptions { Threads = _threads, Pack = true, Preload = false, KvDType = DType.Bf16 },
            MaxContextLen = Math.Min(config.MaxPositionEmbeddings, longest),
            MaxSequences = 2,
        }, null, cancellationToken);
        var runner = model.Runner;
        using var batch = new StepBatch(runner.BlockSize);
        int piece = (int)Math.Clamp((1L << 24) / runner.VocabSize, 16, 512);
        foreach (int[] row in _rows)
        {
            int[] table = [.. Enumerable.Range(0, (row.Length + runner.BlockSize - 1) / runner.BlockSize)];
            for (int from = 0; from < row.Length - 1; from += piece)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int n = Math.Min(piece, row.Length - 1 - from);
                batch.Reset(1, table.Length);
                batch.AddSequence(row.AsSpan(from, n), from, table, LogitsWanted.All);
                ReadOnlySpan<float> logits = runner.Run(batch);
                for (int i = 0; i < n; i++)
                {
                    receive(row, from + i, logits.Slice(i * runner.VocabSize, runner.VocabSize));
                }
            }
        }
    }

    private static float[] LogSoftmax(ReadOnlySpan<float> logits)
    {
        float max = float.NegativeInfinity;
        foreach (float v in logits)
        {
            max = MathF.Max(max, v);
        }

        double sum = 0;
        foreach (float v in logits)
        {
            sum += MathF.Exp(v - max);
        }

        float log = max + (float)Math.Log(sum);
        float[] result = new float[logits.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = logits[i] - log;
        }

        return result;
    }
}
