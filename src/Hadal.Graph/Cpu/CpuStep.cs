using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>What an operation sees while a step runs: the batch, the pages, and the arenas its buffers lie in.</summary>
public sealed unsafe class CpuStep : IDisposable
{
    private NativeBuffer _tokenArena = new(0);
    private NativeBuffer _logitArena = new(0);
    private NativeBuffer _scratch = new(0);
    private int _tokenCapacity;
    private int _logitCapacity;

    private readonly ActivationTiles?[] _tiles = new ActivationTiles?[Enum.GetValues<PackedKind>().Length];
    private readonly PackedKernels? _kernels;
    private PackedExperts? _experts;

    internal CpuStep(WorkerPool pool, KvPages[] pages, PackedKernels? kernels)
    {
        Pool = pool;
        Pages = pages;
        _kernels = kernels;
    }

    /// <summary>Emitted kernels; there where packed weights are.</summary>
    internal PackedKernels Kernels => _kernels ?? throw new InvalidOperationException("packed weights without kernels");

    internal PackedExperts Experts => _experts ??= new PackedExperts(Kernels);

    /// <summary>Scratch for the activations of one operation at a time.</summary>
    internal ActivationTiles Tiles(PackedKind kind) => _tiles[(int)kind] ??= new ActivationTiles(kind);

    public WorkerPool Pool { get; }

    /// <summary>By layer.</summary>
    public KvPages[] Pages { get; }

    /// <summary>The batch's tokens by adapter.</summary>
    internal Lora.AdapterRows AdapterRows { get; } = new();

    /// <summary>Hidden states of a program that ran before, and for each token of the batch its row there; of programs that read them.</summary>
    internal MatrixF32 PreviousHidden { get; set; }

    internal int* PreviousRows { get; set; }

    public StepBatch Batch { get; private set; } = null!;

    public PagedBatch Paged { get; private set; }

    public float* Scratch => _scratch.As<float>();

    /// <summary>Bytes the arenas and scratch hold.</summary>
    public long ByteLength => (long)(_tokenArena.ByteLength + _logitArena.ByteLength + _scratch.ByteLength);

    internal void Begin(StepBatch batch, long bytesPerToken, long bytesPerLogitRow, long scratchFloats, int numAdapters)
    {
        Batch = batch;
        Paged = batch.AsPagedBatch();
        AdapterRows.Group(batch, numAdapters);
        Fit(ref _tokenArena, ref _tokenCapacity, batch.NumTokens, bytesPerToken);
        Fit(ref _logitArena, ref _logitCapacity, batch.NumLogitRows, bytesPerLogitRow);
        NativeBuffer.Grow(ref _scratch, checked((nuint)scratchFloats * sizeof(float)));
    }

    public int Rows(RowSymbol symbol) => symbol == RowSymbol.Tokens ? Batch.NumTokens : Batch.NumLogitRows;

    internal byte* Address(in CpuBuffer buffer) => buffer.Rows == RowSymbol.Tokens
        ? _tokenArena.Pointer + ((nint)buffer.BytesPerRow * _tokenCapacity)
        : _logitArena.Pointer + ((nint)buffer.BytesPerRow * _logitCapacity);

    public void Dispose()
    {
        _tokenArena.Dispose();
        _logitArena.Dispose();
        _scratch.Dispose();
        AdapterRows.Dispose();
        _experts?.Dispose();
        foreach (ActivationTiles? tiles in _tiles)
        {
            tiles?.Dispose();
        }
    }

    private static void Fit(ref NativeBuffer arena, ref int capacity, int rows, long bytesPerRow)
    {
        if (rows <= capacity)
        {
            return;
        }

        // Powers of two, so that a growing batch does not reallocate at every step.
        capacity = 0;
        NativeBuffer.Grow(ref arena, checked((nuint)rows * (nuint)bytesPerRow));
        capacity = (int)Math.Min(int.MaxValue, bytesPerRow == 0 ? int.MaxValue : arena.ByteLength / (nuint)bytesPerRow);
    }
}
