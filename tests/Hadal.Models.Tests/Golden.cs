using System.Runtime.InteropServices;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Safetensors;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Passes;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>A golden checkpoint, loaded, with what the reference implementation computed for it.</summary>
internal sealed class Golden : IDisposable
{
    public static readonly string[] Families = ["deepseek_v2", "deepseek_v2_lite", "deepseek_v3", "deepseek_v3_fp8", "llama", "qwen2", "qwen3"];

    private readonly SafetensorsFile _expected;
    private readonly StepBatch _batch;

    public Golden(string family, string fusion, CpuOptions? cpu = null, bool keepHiddenStates = false, CudaOptions? cuda = null)
    {
        string folder = Path.Combine(AppContext.BaseDirectory, "goldens", "models", family);
        Checkpoint = Checkpoint.Open(folder);
        _expected = SafetensorsFile.Open(Path.Combine(folder, "expected.safetensors"));
        Model = ModelLoader.Load(Checkpoint.Config, Checkpoint.Tensors, new LoadOptions
        {
            Fusion = FusionPlan.Parse(fusion),
            KeepHiddenStates = keepHiddenStates,
            Cpu = cpu ?? new CpuOptions { Threads = 2, BlockSize = 4 },
            Cuda = cuda,
            MaxContextLen = 256,
            MaxSequences = 4,
        });
        _batch = new StepBatch(4);
        long[] ids = ExpectedIds("input_ids");
        Rows = [.. ids.Chunk(ids.Length / 2).Select(r => r.Select(i => (int)i).ToArray())];
        Logits = Expected("logits");
    }

    public Checkpoint Checkpoint { get; }

    public LoadedModel Model { get; }

    public int[][] Rows { get; }

    public float[] Logits { get; }

    public float[] Expected(string name) => MemoryMarshal.Cast<byte, float>(Bytes(name)).ToArray();

    public long[] ExpectedIds(string name) => MemoryMarshal.Cast<byte, long>(Bytes(name)).ToArray();

    /// <summary>All logits of the rows, computed side by side in chunks; pages are handed out in a scrambled order.</summary>
    public float[] Prefill(int[][] rows, int chunk)
    {
        int length = rows[0].Length;
        int vocab = Model.Config.VocabSize;
        float[] all = new float[rows.Length * length * vocab];
        for (int from = 0; from < length; from += Math.Min(chunk, length))
        {
            int n = Math.Min(chunk, length - from);
            _batch.Reset(rows.Length, 16);
            for (int r = 0; r < rows.Length; r++)
            {
                _batch.AddSequence(rows[r].AsSpan(from, n), from, Table(r), LogitsWanted.All);
            }

            ReadOnlySpan<float> logits = Model.Runner.Run(_batch);
            for (int r = 0; r < rows.Length; r++)
            {
                logits.Slice(r * n * vocab, n * vocab).CopyTo(all.AsSpan(((r * length) + from) * vocab));
            }
        }

        return all;
    }

    public float[] LastLogits(ReadOnlySpan<int> ids)
    {
        _batch.Reset(1, 16);
        _batch.AddSequence(ids, 0, Table(0), LogitsWanted.Last);
        return Model.Runner.Run(_batch).ToArray();
    }

    public void Dispose()
    {
        _batch.Dispose();
        Model.Dispose();
        _expected.Dispose();
        Checkpoint.Dispose();
    }

    private static int[] Table(int row) => [.. Enumerable.Range(0, 16).Select(i => ((i * 7) % 16 * 2) + row)];

    private unsafe ReadOnlySpan<byte> Bytes(string name)
    {
        Assert.True(_expected.TryGet(name, out StoredTensor? tensor), $"expected.safetensors has no {name}");
        return new ReadOnlySpan<byte>(tensor.Data, checked((int)tensor.ByteLength));
    }
}
