using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>A program with its KV pages: what the engine steps.</summary>
public sealed unsafe class CpuModelRunner : IDeviceRunner, IHiddenStateRunner, IAdapterRunner, IMtpRunner
{
    private readonly CpuProgram _program;
    private readonly CpuStep _step;
    private readonly NativeBuffer[] _pages;
    private float[] _hidden = [];
    private readonly CpuMtp? _mtp;

    /// <param name="program">The compiled model; disposed with this.</param>
    /// <param name="options">Page size and type.</param>
    /// <param name="vocabSize">V.</param>
    /// <param name="maxContextLen">Longest sequence.</param>
    /// <param name="numBlocks">KV pages to hold.</param>
    /// <param name="mtp">The multi-token-prediction layer, with as many pages; disposed with this. The program's graph then has an output <c>hidden</c>, [T, D].</param>
    public CpuModelRunner(CpuProgram program, CpuOptions options, int vocabSize, int maxContextLen, int numBlocks, CpuMtp? mtp = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(numBlocks);
        _mtp = mtp;
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

    public IReadOnlyList<string> Adapters => _program.Adapters;

    public CpuProgram Program => _program;

    /// <summary>Bytes of the arenas as they are now.</summary>
    public long ActivationBytes => _step.ByteLength + (_mtp?.ActivationBytes ?? 0);

    public long KvBytes => _pages.Sum(p => (long)p.ByteLength) + (_mtp?.KvBytes ?? 0);

    public bool HasMtp => _mtp is not null;

    /// <summary>Bytes one token's keys and values take in all layers.</summary>
    public static long KvBytesPerToken(ModelGraph graph, DType kvDType) => graph.KvWidths.Sum(w => (long)w) * kvDType.BlockBytes;

    public ReadOnlySpan<float> Run(StepBatch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(batch.BlockSize, BlockSize, nameof(batch));
        return Rows(_program.Run(_step, batch));
    }

    public ReadOnlySpan<float> RunMtp(StepBatch batch, ReadOnlySpan<int> hiddenRows, bool again)
    {
        CpuMtp mtp = _mtp ?? throw new InvalidOperationException("The model was loaded without its multi-token-prediction layer; see LoadOptions.Mtp.");
        ArgumentOutOfRangeException.ThrowIfNotEqual(batch.BlockSize, BlockSize, nameof(batch));
        return Rows(mtp.Run(batch, hiddenRows, again ? null : _program.Output(_step, "hidden")));
    }

    private static ReadOnlySpan<float> Rows(MatrixF32 logits)
    {
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

    public int HiddenSize => Graph.Outputs[ModelGraph.Hidden].Columns;

    public ReadOnlySpan<float> FetchHidden(int firstToken, int count)
    {
        MatrixF32 hidden = _program.Output(_step, ModelGraph.Hidden);
        ArgumentOutOfRangeException.ThrowIfNegative(firstToken);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)firstToken + count, hidden.Rows, nameof(count));
        if (hidden.Stride == hidden.Columns)
        {
            return new ReadOnlySpan<float>(hidden.Data + ((nint)firstToken * hidden.Stride), checked(count * hidden.Columns));
        }

        int length = checked(count * hidden.Columns);
        if (_hidden.Length < length)
        {
            _hidden = new float[length];
        }

        for (int i = 0; i < count; i++)
        {
            hidden.RowSpan(firstToken + i).CopyTo(_hidden.AsSpan(i * hidden.Columns));
        }

        return _hidden.AsSpan(0, length);
    }

    public ModelGraph Graph => _program.Graph;

    public string Device => $"cpu, {_program.Pool.NumWorkers} threads";

    public long WeightBytes => _program.WeightBytes + (_mtp?.Program.WeightBytes ?? 0);

    public StepProfile? Profile
    {
        get => _program.Profile;
        set => _program.Profile = value;
    }

    /// <summary>Told before each operation of a step runs, with a way to read its inputs: calibration. Null (and free) unless someone asks.</summary>
    public Action<Node, Func<Value, MatrixF32>>? Observer
    {
        get => _program.Observer;
        set => _program.Observer = value;
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
        _mtp?.Dispose();
        _step.Dispose();
        _program.Dispose();
        foreach (NativeBuffer pages in _pages)
        {
            pages.Dispose();
        }
    }
}
