using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>Packs a latent up-projection by head.</summary>
public static unsafe class LatentHeadPacker
{
    /// <param name="pool">Workers.</param>
    /// <param name="kvB">[H·(Dn+Dv), C], per head W_UK above W_UV.</param>
    /// <param name="kind">What <see cref="WeightPacker.KindFor"/> says of it.</param>
    /// <param name="shape">Widths.</param>
    /// <param name="arena">Where the packed matrices will lie.</param>
    public static PackedLatentHeads Pack(WorkerPool pool, in WeightMatrix kvB, PackedKind kind, MlaShape shape, NativeArena arena)
    {
        shape.ThrowIfWeightDiffers(kvB);
        int rowsPerHead = shape.QkNopeHeadDim + shape.VHeadDim;
        bool cuts = kvB.ScaleLayout != ScaleLayout.Block || (rowsPerHead % kvB.ScaleBlockRows == 0 && shape.QkNopeHeadDim % kvB.ScaleBlockRows == 0);
        var keys = new PackedMatrix[shape.NumHeads];
        var values = new PackedMatrix[shape.NumHeads];
        for (int h = 0; h < shape.NumHeads; h++)
        {
            keys[h] = PackBf16(pool, kvB, h * rowsPerHead, shape.QkNopeHeadDim, transposed: true, arena);
        }

        for (int h = 0; h < shape.NumHeads; h++)
        {
            int first = (h * rowsPerHead) + shape.QkNopeHeadDim;
            values[h] = cuts
                ? WeightPacker.Pack(pool, kvB.SliceRows(first, shape.VHeadDim), kind, arena)
                : PackBf16(pool, kvB, first, shape.VHeadDim, transposed: false, arena);
        }

        return new PackedLatentHeads(keys, values);
    }

    private static PackedMatrix PackBf16(WorkerPool pool, in WeightMatrix m, int firstRow, int rows, bool transposed, NativeArena arena)
    {
        using NativeBuffer bits = NativeBuffer.Of<ushort>((nint)rows * m.Columns);
        using NativeBuffer row = NativeBuffer.Of<float>(m.Columns);
        ushort* target = bits.As<ushort>();
        for (int n = 0; n < rows; n++)
        {
            WeightDecoder.DecodeRow(m, firstRow + n, 0, m.Columns, row.As<float>());
            for (int k = 0; k < m.Columns; k++)
            {
                target[transposed ? ((nint)k * rows) + n : ((nint)n * m.Columns) + k] = Bf16.FromSingle(row.As<float>()[k]);
            }
        }

        var decoded = new WeightMatrix
        {
            Data = bits.Pointer,
            DType = DType.Bf16,
            Rows = transposed ? m.Columns : rows,
            Columns = transposed ? rows : m.Columns,
            RowBytes = (transposed ? rows : m.Columns) * sizeof(ushort),
        };
        return WeightPacker.Pack(pool, decoded, PackedKind.Bf16, arena);
    }
}
