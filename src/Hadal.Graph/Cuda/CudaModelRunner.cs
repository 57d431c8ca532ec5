using System.Numerics;
using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Kernels.Bandwidth;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Graph.Cuda;

/// <summary>A program with its KV pages on one card: what the engine steps. Steps of one token a sequence replay captured graphs.</summary>
public sealed unsafe class CudaModelRunner : IDeviceRunner, ISamplingRunner, IHiddenStateRunner
{
    private readonly CudaContext _context;
    private readonly CudaKernels _kernels;
    private readonly CudaStream _stream;
    private readonly CudaProgram _program;
    private readonly CudaStep _step;
    private readonly CudaOptions _options;
    private readonly DeviceBuffer _pages;
    private readonly Dictionary<StepShape, CudaGraph?> _graphs = [];
    private readonly Dictionary<StepShape, StepScratch> _scratch = [];
    private readonly DeviceSampler _sampler;
    private readonly StepClock _clock;
    private int _graphGeneration;
    private PinnedBuffer? _hostLogits;

    internal CudaModelRunner(CudaContext context, CudaKernels kernels, CudaStream stream, CudaProgram program, CudaOptions options, int vocabSize, int maxContextLen, int numBlocks)
    {
        _context = context;
        _kernels = kernels;
        _stream = stream;
        _program = program;
        _options = options;
        VocabSize = vocabSize;
        MaxContextLen = maxContextLen;
        NumBlocks = numBlocks;
        IReadOnlyList<int> widths = program.Graph.KvWidths;
        long elementBytes = options.KvDType.BlockBytes;
        // Layers begin at whole 256 bytes.
        var pages = new DeviceMatrix[widths.Count];
        int slots = checked(numBlocks * options.BlockSize);
        long at = 0;
        for (int layer = 0; layer < widths.Count; layer++)
        {
            pages[layer] = new DeviceMatrix((nint)at, options.KvDType, slots, widths[layer], widths[layer]);
            at += ((slots * (long)widths[layer] * elementBytes) + 255) / 256 * 256;
        }

        _pages = context.Allocate(Math.Max(at, 256));
        for (int layer = 0; layer < widths.Count; layer++)
        {
            pages[layer] = pages[layer] with { Data = pages[layer].Data + _pages.Pointer };
        }

        _step = new CudaStep(kernels, stream, pages, options.BlockSize);
        _sampler = new DeviceSampler(kernels, stream);
        _clock = new StepClock(context);
    }

    public int VocabSize { get; }

    public int MaxContextLen { get; }

    public int BlockSize => _options.BlockSize;

    public int NumBlocks { get; }

    public string? Failure => _context.Failure?.Message;

    public ModelGraph Graph => _program.Graph;

    public string Device => $"cuda:{_context.Device.Ordinal}, {_context.Device.Name}, {(_kernels.IsHopper ? "sm_90a" : "sm_80")} kernels";

    public CudaContext Context => _context;

    public long WeightBytes => _program.Weights.ByteLength;

    public long KvBytes => _pages.ByteLength;

    public long ActivationBytes => _step.ByteLength;

    public StepProfile? Profile
    {
        get => _program.Profile;
        set => _program.Profile = value;
    }

    /// <summary>Counts the card's time within and between steps from now on, or not.</summary>
    public bool MeasuresIdle
    {
        get => _clock.IsOn;
        set => _clock.Switch(value, _stream);
    }

    /// <summary>Milliseconds that the card spent on steps, and between them, since measuring began. Waits for the last step.</summary>
    public (double Busy, double Idle) BusyAndIdle() => _clock.Read(_stream);

    public long ByteLengthOf(WeightSpec spec) => _program.Weights.ByteLengthOf(spec);

    public double MeasureReadBandwidth() => DeviceBandwidth.MeasureReadGBps(_kernels, _stream);

    public ReadOnlySpan<float> Run(StepBatch batch)
    {
        _clock.Begin(_stream);
        Compute(batch);
        _clock.End(_stream);
        return batch.NumLogitRows == 0 ? SynchronizeOnly() : FetchLogits(0, batch.NumLogitRows);
    }

    public void RunAndSample(StepBatch batch, ReadOnlySpan<RowSampling> rows, Span<int> tokens)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Length, batch.NumLogitRows, nameof(rows));
        ArgumentOutOfRangeException.ThrowIfNotEqual(tokens.Length, batch.NumLogitRows, nameof(tokens));
        _clock.Begin(_stream);
        Compute(batch);
        if (rows.Length > 0)
        {
            _sampler.Launch(_program.Logits.Matrix(_step), rows);
            _clock.End(_stream);
            _sampler.Finish(rows, tokens);
        }
        else
        {
            _clock.End(_stream);
            _stream.Synchronize();
        }
    }

    public ReadOnlySpan<float> FetchLogits(int firstRow, int count)
    {
        DeviceMatrix logits = _program.Logits.Matrix(_step);
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstRow, logits.Rows - count);
        return Fetch(logits with { Data = logits.Data + ((nint)firstRow * logits.Stride * sizeof(float)), Rows = count });
    }

    /// <summary>A named output of the last step (hidden states, when the graph was built to keep them).</summary>
    public float[] Output(string name)
    {
        return FetchFloats(_program.Output(name).Matrix(_step));
    }

    public int HiddenSize => Graph.Outputs[ModelGraph.Hidden].Columns;

    public ReadOnlySpan<float> FetchHidden(int firstToken, int count)
    {
        DeviceMatrix hidden = _program.Output(ModelGraph.Hidden).Matrix(_step);
        ArgumentOutOfRangeException.ThrowIfNegative(firstToken);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstToken, hidden.Rows - count);
        return FetchFloats(hidden with { Data = hidden.Data + ((nint)firstToken * hidden.Stride * hidden.DType.BlockBytes), Rows = count });
    }

    private float[] FetchFloats(DeviceMatrix matrix)
    {
        if (matrix.DType == DType.F32)
        {
            return Fetch(matrix).ToArray();
        }

        using PinnedBuffer host = _context.AllocatePinned(2L * matrix.Rows * matrix.Stride);
        _stream.CopyToHost(host.Pointer, matrix.Data, 2L * (((long)(matrix.Rows - 1) * matrix.Stride) + matrix.Columns));
        _stream.Synchronize();
        float[] values = new float[matrix.Rows * matrix.Columns];
        for (int row = 0; row < matrix.Rows; row++)
        {
            for (int column = 0; column < matrix.Columns; column++)
            {
                values[(row * matrix.Columns) + column] = Bf16.ToSingle(((ushort*)host.Pointer)[((nint)row * matrix.Stride) + column]);
            }
        }

        return values;
    }

    public void Dispose()
    {
        DropGraphs();
        _clock.Dispose();
        _sampler.Dispose();
        _step.Dispose();
        _hostLogits?.Dispose();
        _pages.Dispose();
        _program.Dispose();
        _stream.Dispose();
        _kernels.Dispose();
        _context.Dispose();
    }

    private void Compute(StepBatch batch)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(batch.BlockSize, BlockSize, nameof(batch));
        bool decode = batch.NumTokens == batch.NumSequences && batch.NumLogitRows == batch.NumTokens;
        bool replay = decode && _options.CaptureGraphs && Profile is null;
        StepShape shape = replay ? PaddedShape(batch) : ExactShape(batch);
        if (!_scratch.TryGetValue(shape, out StepScratch scratch))
        {
            scratch = _program.Scratch(shape);
            // Shapes of prompts are many; those of decoding few.
            if (replay)
            {
                _scratch.Add(shape, scratch);
            }
        }

        _step.Begin(batch, shape, _program.Plan, scratch);
        if (!replay)
        {
            _program.Launch(_step);
            return;
        }

        if (_graphGeneration != _step.Generation)
        {
            DropGraphs();
            _graphGeneration = _step.Generation;
        }

        if (!_graphs.TryGetValue(shape, out CudaGraph? graph))
        {
            // The first step of a shape runs as it is: kernels are loaded and set up on the way, which a capture cannot do.
            _program.Launch(_step);
            _graphs.Add(shape, null);
            return;
        }

        if (graph is null)
        {
            _stream.BeginCapture();
            try
            {
                _program.Launch(_step);
            }
            catch
            {
                // The next step must find the stream as it was.
                _stream.AbandonCapture();
                throw;
            }

            graph = _stream.EndCapture();
            _graphs[shape] = graph;
        }

        graph.Launch(_stream);
    }

    private StepShape PaddedShape(StepBatch batch)
    {
        int n = StepShape.Bucket(batch.NumSequences);
        int blocks = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, BlocksOf(batch)));
        return new StepShape(n, n, n, blocks, 1);
    }

    private StepShape ExactShape(StepBatch batch)
    {
        int longest = 0;
        int* cu = batch.AsPagedBatch().CuSeqLens;
        for (int i = 0; i < batch.NumSequences; i++)
        {
            longest = Math.Max(longest, cu[i + 1] - cu[i]);
        }

        return new StepShape(batch.NumTokens, batch.NumSequences, batch.NumLogitRows, BlocksOf(batch), longest);
    }

    private int BlocksOf(StepBatch batch) => (batch.MaxContextLen + BlockSize - 1) / BlockSize;

    private ReadOnlySpan<float> Fetch(DeviceMatrix matrix)
    {
        long bytes = (long)matrix.Rows * matrix.Columns * sizeof(float);
        if (_hostLogits is null || _hostLogits.ByteLength < bytes)
        {
            _hostLogits?.Dispose();
            _hostLogits = null;
            _hostLogits = _context.AllocatePinned((long)BitOperations.RoundUpToPowerOf2((ulong)bytes));
        }

        if (matrix.Stride == matrix.Columns)
        {
            _stream.CopyToHost(_hostLogits.Pointer, matrix.Data, bytes);
        }
        else
        {
            for (int row = 0; row < matrix.Rows; row++)
            {
                long rowBytes = (long)matrix.Columns * sizeof(float);
                _stream.CopyToHost(_hostLogits.Pointer + (row * rowBytes), matrix.Data + ((nint)row * matrix.Stride * sizeof(float)), rowBytes);
            }
        }

        _stream.Synchronize();
        return MemoryMarshal.Cast<byte, float>(new ReadOnlySpan<byte>(_hostLogits.Pointer, checked((int)bytes)));
    }

    private ReadOnlySpan<float> SynchronizeOnly()
    {
        _stream.Synchronize();
        return default;
    }

    private void DropGraphs()
    {
        foreach (CudaGraph? graph in _graphs.Values)
        {
            graph?.Dispose();
        }

        _graphs.Clear();
    }
}
