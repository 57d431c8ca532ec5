using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>A program with its KV pages: what the engine steps.</summary>
public sealed unsafe class CpuModelRunner : IDeviceRunner
{
    private readonly CpuProgram _program;
    private readonly CpuStep _step;
    private readonly NativeBuffer[] _pages;

    /// <param name="program">The compiled model; disposed with this.</param>
    /// <param name="options">Page size and type.</param>
    /// <param name="vocabSize">V.</param>
    /// <param name="maxContextLen">Longest sequence.</param>
    /// <param name="numBlocks">KV pages to hold.</param>
    public CpuModelRunner(CpuProgram program, CpuOptions options, int vocabSize, int maxContextLen, int numBlocks)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numBlocks);
        _program = program;
        VocabSize = vocabSize;
        MaxContextLen = maxContextLen;
        BlockSize = options.BlockSize;
        NumBlocks = numBlocks;
        int elementBytes = options.KvDType.BlockBytes;
        IReadOnlyList<int> widths = program.Graph.KvWidths;
        _pages = new NativeBuffer[widths.Count];
        var pages = new KvPages[widths.Count];
        for (int layer = 0; layer < widths.Count; layer++)
        {
            _pages[layer] = new NativeBuffer(checked((nuint)numBlocks * (nuint)BlockSize * (nuint)widths[layer] * (nuint)elementBytes));
            pages[layer] = new KvPages(_pages[layer].Pointer, options.KvDType, widths[layer]);
        }

        _step = program.NewStep(pages);
    }

    public int VocabSize { get; }

    public int MaxContextLen { get; }

    public int BlockSize { get; }

    public int NumBlocks { get; }

    public CpuProgram Program => _program;

    /// <summary>Bytes of the arenas as they are now.</summary>
    public long ActivationBytes => _step.ByteLength;

    public long KvBytes => _pages.Sum(p => (long)p.ByteLength);

    /// <summary>Bytes one token's keys and values take in all layers.</summary>
    public static long KvBytesPerToken(ModelGraph graph, DType kvDType) => graph.KvWidths.Sum(w => (long)w) * kvDType.BlockBytes;

    public ReadOnlySpan<float> Run(StepBatch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(batch.BlockSize, BlockSize, nameof(batch));
        MatrixF32 logits = _program.Run(_step, batch);
        // A root value of V columns has no padding between rows when V is a multiple of 16; otherwise close the gaps in place.
        if (logits.Stride != logits.Columns)
        {
            for (int row = 1; row < logits.Rows; row++)
            {
                logits.RowSpan(row).CopyTo(new Span<float>(logits.Data + ((nint)row * logits.Columns), logits.Columns));
            }
        }

        return new ReadOnlySpan<float>(logits.Data, checked(logits.Rows * logits.Columns));
    }

    public ModelGraph Graph => _program.Graph;

    public string Device => $"cpu, {_program.Pool.NumWorkers} threads";

    public long WeightBytes => _program.WeightBytes;

    public StepProfile? Profile
    {
        get => _program.Profile;
        set => _program.Profile = value;
    }

    public long ByteLengthOf(WeightSpec spec) => _program.ByteLengthOf(spec);

    public double MeasureReadBandwidth() => ReadBandwidth.MeasureGBps(_program.Pool);

    public float[] Output(string name)
    {
        MatrixF32 matrix = _program.Output(_step, name);
        float[] values = new float[matrix.Rows * matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++)
        {
            matrix.RowSpan(row).CopyTo(values.AsSpan(row * matrix.Columns));
        }

        return values;
    }

    public void Dispose()
    {
        _step.Dispose();
        _program.Dispose();
        foreach (NativeBuffer pages in _pages)
        {
            pages.Dispose();
        }
    }
}
