using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>y[t, h] = W[h] · x[t, h] for every head h: a matrix of its own for each, packed. What moves queries into a latent's space and values out of it.</summary>
/// <remarks>Holds its scratch, which grows to the largest step; one caller at a time. A token's result does not depend on T, to the bit.</remarks>
public sealed unsafe class PackedHeads : IDisposable
{
    private readonly PackedKernels _kernels;
    private readonly PackedMatrix[] _heads;
    private readonly ActivationTiles _tiles;
    private NativeBuffer _offsets = new(0);
    private readonly int[] _ends;

    /// <param name="kernels">Emitted code.</param>
    /// <param name="heads">[H] matrices of one shape and format.</param>
    public PackedHeads(PackedKernels kernels, PackedMatrix[] heads)
    {
        _kernels = kernels;
        _heads = heads;
        _tiles = new ActivationTiles(heads[0].Format.Kind);
        _ends = new int[heads.Length];
    }

    /// <param name="pool">Workers.</param>
    /// <param name="x">[T, H·xStride]; head h's inputs begin at column h·xStride.</param>
    /// <param name="xStride">Columns from head to head.</param>
    /// <param name="y">[T, H·yStride]; head h's outputs begin at column h·yStride. Not x.</param>
    /// <param name="yStride">Columns from head to head.</param>
    public void Forward(WorkerPool pool, MatrixF32 x, int xStride, MatrixF32 y, int yStride)
    {
        int tokens = x.Rows;
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Rows, tokens, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns, _heads.Length * xStride, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, _heads.Length * yStride, nameof(y));
        if (tokens == 0)
        {
            return;
        }

        NativeBuffer.Grow(ref _offsets, (nuint)_heads.Length * (nuint)tokens * sizeof(int));
        int* offsets = _offsets.As<int>();
        for (int h = 0; h < _heads.Length; h++)
        {
            _ends[h] = (h + 1) * tokens;
            for (int t = 0; t < tokens; t++)
            {
                offsets[(h * tokens) + t] = checked((int)((t * x.Stride) + ((nint)h * xStride)));
            }
        }

        // Heads of a token do not lie a whole row apart: the rows of this view are the floats where they begin.
        var starts = new MatrixF32(x.Data, _heads.Length * tokens, _heads[0].Columns, stride: 1);
        fixed (int* ends = _ends)
        {
            _tiles.Prepare(pool, starts, offsets, ends, _heads.Length);
        }

        var work = new PackedHeadsWork(_kernels, _heads, _tiles, y, yStride, pool.Split(_heads.Length * _heads[0].NumBlocks));
        pool.Run(ref work);
    }

    public void Dispose()
    {
        _tiles.Dispose();
        _offsets.Dispose();
    }
}
