using System.Numerics;
using Hadal.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Planning;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Paging;

namespace Hadal.Graph.Cuda;

/// <summary>What an operation sees while a step runs on a card: the batch, the pages, the arenas its buffers lie in, and one workspace for the operation at hand.</summary>
internal sealed unsafe class CudaStep : IDisposable
{
    private const int Alignment = 256;

    private readonly CudaContext _context;
    private readonly DeviceMatrix[] _pages;
    private readonly CudaEvent _batchCopied;
    private DeviceBuffer? _tokenArena;
    private DeviceBuffer? _logitArena;
    private DeviceBuffer? _workspace;
    private DeviceBuffer? _kept;
    private DeviceBuffer? _counters;
    private DeviceBuffer? _batch;
    private PinnedBuffer? _pinned;
    private int _tokenCapacity;
    private int _logitCapacity;

    public CudaStep(CudaKernels kernels, CudaStream stream, DeviceMatrix[] pages, int blockSize)
    {
        Kernels = kernels;
        Stream = stream;
        _pages = pages;
        BlockSize = blockSize;
        _context = kernels.Context;
        _batchCopied = _context.NewEvent(timing: false);
    }

    public CudaKernels Kernels { get; }

    public CudaStream Stream { get; }

    /// <summary>[slots, width] of a layer.</summary>
    public DeviceMatrix Pages(int layer) => _pages[layer];

    public int BlockSize { get; }

    public StepShape Shape { get; private set; }

    /// <summary>The batch on the card.</summary>
    public DeviceStep Batch { get; private set; }

    /// <summary>Of the operation at hand.</summary>
    public nint Workspace => _workspace?.Pointer ?? 0;

    /// <summary>Zero before each operation that counts in them, and zero again after it.</summary>
    public nint Counters => _counters?.Pointer ?? 0;

    /// <summary>What one operation leaves for a later one beside its values: the order of a layer's tokens by expert.</summary>
    public nint Kept => _kept?.Pointer ?? 0;

    /// <summary>Counts the times that memory moved: a graph captured before reads memory that is gone.</summary>
    public int Generation { get; private set; }

    public long ByteLength => (_tokenArena?.ByteLength ?? 0) + (_logitArena?.ByteLength ?? 0) + (_workspace?.ByteLength ?? 0) + (_kept?.ByteLength ?? 0) + (_counters?.ByteLength ?? 0) + (_batch?.ByteLength ?? 0);

    public nint Address(in CudaBuffer buffer) => buffer.Rows == RowSymbol.Tokens
        ? _tokenArena!.Pointer + ((nint)buffer.BytesPerRow * _tokenCapacity)
        : _logitArena!.Pointer + ((nint)buffer.BytesPerRow * _logitCapacity);

    /// <summary>Makes room for a step and sends its batch to the card.</summary>
    public void Begin(StepBatch batch, StepShape shape, BufferPlan plan, StepScratch scratch)
    {
        Shape = shape;
        Fit(ref _tokenArena, ref _tokenCapacity, shape.NumTokens, plan.BytesPerRow[RowSymbol.Tokens]);
        Fit(ref _logitArena, ref _logitCapacity, shape.NumLogitRows, plan.BytesPerRow[RowSymbol.LogitRows]);
        Fit(ref _workspace, scratch.Workspace);
        Fit(ref _kept, scratch.Kept);
        if (scratch.Counters > (_counters?.ByteLength ?? 0))
        {
            Fit(ref _counters, scratch.Counters);
            Stream.Fill(_counters!.Pointer, 0, _counters.ByteLength);
        }

        SendBatch(batch, shape);
    }

    public void Dispose()
    {
        _tokenArena?.Dispose();
        _logitArena?.Dispose();
        _workspace?.Dispose();
        _kept?.Dispose();
        _counters?.Dispose();
        _batch?.Dispose();
        _pinned?.Dispose();
        _batchCopied.Dispose();
    }

    private void SendBatch(StepBatch batch, StepShape shape)
    {
        // The arrays one behind the other; where each begins depends on the shape alone, so a captured graph finds them again.
        long at = 0;
        long Place(long bytes)
        {
            long here = at;
            at += (bytes + Alignment - 1) / Alignment * Alignment;
            return here;
        }

        long tokens = Place(4L * shape.NumTokens);
        long positions = Place(4L * shape.NumTokens);
        long slots = Place(8L * shape.NumTokens);
        long cuSeqLens = Place(4L * (shape.NumSequences + 1));
        long contextLens = Place(4L * shape.NumSequences);
        long logitRows = Place(4L * shape.NumLogitRows);
        long tables = Place(4L * shape.NumSequences * shape.MaxBlocks);
        _batchCopied.Synchronize();
        if (_pinned is null || _pinned.ByteLength < at)
        {
            _pinned?.Dispose();
            _pinned = null;
            _pinned = _context.AllocatePinned((long)BitOperations.RoundUpToPowerOf2((ulong)at));
        }

        Fit(ref _batch, at);
        PagedBatch paged = batch.AsPagedBatch();
        byte* p = _pinned.Pointer;
        Copy((int*)(p + tokens), batch.Tokens, batch.NumTokens, shape.NumTokens, 0);
        Copy((int*)(p + positions), paged.Positions, batch.NumTokens, shape.NumTokens, 0);
        Copy((long*)(p + slots), paged.SlotMapping, batch.NumTokens, shape.NumTokens, -1);
        Copy((int*)(p + contextLens), paged.ContextLens, batch.NumSequences, shape.NumSequences, 0);
        Copy((int*)(p + logitRows), batch.LogitRows, batch.NumLogitRows, shape.NumLogitRows, 0);
        int* cu = (int*)(p + cuSeqLens);
        Copy(cu, paged.CuSeqLens, batch.NumSequences + 1, shape.NumSequences + 1, batch.NumTokens);
        for (int i = batch.NumSequences + 1; i <= shape.NumSequences; i++)
        {
            // A padded sequence has one token, and a context of none.
            cu[i] = Math.Min(cu[i - 1] + 1, shape.NumTokens);
        }

        int* table = (int*)(p + tables);
        for (int s = 0; s < shape.NumSequences; s++)
        {
            int* row = table + ((nint)s * shape.MaxBlocks);
            if (s < batch.NumSequences)
            {
                Copy(row, paged.BlockTables + ((nint)s * paged.MaxBlocksPerSequence), Math.Min(paged.MaxBlocksPerSequence, shape.MaxBlocks), shape.MaxBlocks, 0);
            }
            else
            {
                new Span<int>(row, shape.MaxBlocks).Clear();
            }
        }

        Stream.CopyToDevice(_batch!.Pointer, p, at);
        Stream.Record(_batchCopied);
        nint b = _batch.Pointer;
        Batch = new DeviceStep
        {
            Tokens = b + (nint)tokens,
            Positions = b + (nint)positions,
            Slots = b + (nint)slots,
            CuSeqLens = b + (nint)cuSeqLens,
            ContextLens = b + (nint)contextLens,
            BlockTables = b + (nint)tables,
            LogitRows = b + (nint)logitRows,
            NumTokens = shape.NumTokens,
            NumSequences = shape.NumSequences,
            NumLogitRows = shape.NumLogitRows,
            MaxBlocks = shape.MaxBlocks,
            BlockSize = BlockSize,
        };
    }

    private static void Copy<T>(T* destination, T* source, int count, int padded, T filler)
        where T : unmanaged
    {
        new ReadOnlySpan<T>(source, count).CopyTo(new Span<T>(destination, count));
        new Span<T>(destination + count, padded - count).Fill(filler);
    }

    private void Fit(ref DeviceBuffer? arena, ref int capacity, int rows, long bytesPerRow)
    {
        if (rows <= capacity)
        {
            return;
        }

        // Powers of two, so that a growing batch does not reallocate at every step.
        int bigger = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(rows, 64));
        capacity = 0;
        Replace(ref arena, Math.Max(1, bigger * bytesPerRow));
        capacity = bigger;
    }

    private void Fit(ref DeviceBuffer? buffer, long bytes)
    {
        if (bytes > (buffer?.ByteLength ?? 0))
        {
            Replace(ref buffer, (long)BitOperations.RoundUpToPowerOf2((ulong)bytes));
        }
    }

    private void Replace(ref DeviceBuffer? buffer, long bytes)
    {
        // Steps still running read the old memory.
        Stream.Synchronize();
        Generation++;
        buffer?.Dispose();
        buffer = null;
        buffer = _context.Allocate(bytes);
    }
}
