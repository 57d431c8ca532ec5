using Hadal.Formats.Checkpoints;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Passes;
using Hadal.Models.Loading;

namespace Hadal.Models.Tests.Oracle;

/// <summary>A folder loaded as <c>hadal</c> loads it, and run on several sequences at once.</summary>
internal sealed class VariantModel : IDisposable
{
    public const int MaxContextLen = 256;

    private const int BlockSize = 4;
    private const int BlocksPerSequence = MaxContextLen / BlockSize;
    private const int MaxSequences = 4;

    private readonly Checkpoint _checkpoint;
    private readonly LoadedModel _model;
    private readonly StepBatch _batch = new(BlockSize);

    public VariantModel(string folder, string fusion, int threads, bool pack = false)
    {
        _checkpoint = Checkpoint.Open(folder);
        _model = ModelLoader.Load(_checkpoint.Config, _checkpoint.Tensors, new LoadOptions
        {
            Fusion = FusionPlan.Parse(fusion),
            Cpu = new CpuOptions { Threads = threads, BlockSize = BlockSize, Pack = pack },
            MaxContextLen = MaxContextLen,
            MaxSequences = MaxSequences,
        });
    }

    /// <summary>All logits of each sequence. In each step every sequence gets its next piece, and those that are done drop out.</summary>
    /// <param name="sequences">Up to four, of any lengths up to <see cref="MaxContextLen"/>.</param>
    /// <param name="pieces">Lengths of the pieces, over and over; sequence i begins at the i-th, so that a step's pieces differ.</param>
    public float[][] Run(int[][] sequences, int[] pieces)
    {
        int vocab = _checkpoint.Config.VocabSize;
        List<float>[] logits = [.. sequences.Select(_ => new List<float>())];
        int[] done = new int[sequences.Length];
        for (int step = 0; done.Zip(sequences).Any(p => p.First < p.Second.Length); step++)
        {
            _batch.Reset(MaxSequences, BlocksPerSequence);
            var rows = new List<(int Sequence, int Count)>();
            for (int s = 0; s < sequences.Length; s++)
            {
                int n = Math.Min(pieces[(step + s) % pieces.Length], sequences[s].Length - done[s]);
                if (n > 0)
                {
                    _batch.AddSequence(sequences[s].AsSpan(done[s], n), done[s], Pages(s), LogitsWanted.All);
                    rows.Add((s, n));
                    done[s] += n;
                }
            }

            ReadOnlySpan<float> all = _model.Runner.Run(_batch);
            foreach ((int s, int n) in rows)
            {
                logits[s].AddRange(all[..(n * vocab)]);
                all = all[(n * vocab)..];
            }
        }

        return [.. logits.Select(l => l.ToArray())];
    }

    public void Dispose()
    {
        _batch.Dispose();
        _model.Dispose();
        _checkpoint.Dispose();
    }

    // Pages of a sequence lie scattered between those of the others.
    private static int[] Pages(int sequence) => [.. Enumerable.Range(0, BlocksPerSequence).Select(i => (i * 7 % BlocksPerSequence * MaxSequences) + sequence)];
}
