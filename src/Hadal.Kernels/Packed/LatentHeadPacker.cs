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
        PackedLatentHeads heads = Reserve(kvB, kind, shape, arena);
        Fill(pool, kvB, shape, heads);
        return heads;
    }

    /// <summary>The memory of all heads, still zeros.</summary>
    public static PackedLatentHeads Reserve(in WeightMatrix kvB, PackedKind kind, MlaShape shape, NativeArena arena)
    {
        shape.ThrowIfWeightDiffers(kvB);
        var keys = new PackedMatrix[shape.NumHeads];
        var values = new PackedMatrix[shape.NumHeads];
        PackedFormat ofKeys = PackedFormat.Of(PackedKind.Bf16);
        PackedFormat ofValues = PackedFormat.Of(KindOfValues(kvB, kind, shape));
        for (int h = 0; h < shape.NumHeads; h++)
        {
            keys[h] = new PackedMatrix(ofKeys, shape.KvLoraRank, shape.QkNopeHeadDim, arena);
        }

        for (int h = 0; h < shape.NumHeads; h++)
        {
            values[h] = new PackedMatrix(ofValues, shape.VHeadDim, shape.KvLoraRank, arena);
        }

        return new PackedLatentHeads(keys, values);
    }

    /// <summary>Packs into memory that <see cref="Reserve"/> gave for the same weights.</summary>
    public static void Fill(WorkerPool pool, in WeightMatrix kvB, MlaShape shape, PackedLatentHeads heads)
    {
        shape.ThrowIfWeightDiffers(kvB);
        int rowsPerHead = shape.QkNopeHeadDim + shape.VHeadDim;
        bool cuts = CutsBetweenHeads(kvB, shape);
        for (int h = 0; h < shape.NumHeads; h++)
        {
            FillBf16(pool, kvB, h * rowsPerHead, shape.QkNopeHeadDim, transposed: true, heads.KeysTransposed[h]);
        }

        for (int h = 0; h < shape.NumHeads; h++)
        {
            int first = (h * rowsPerHead) + shape.QkNopeHeadDim;
            if (cuts)
            {
                WeightPacker.Fill(pool, kvB.SliceRows(first, shape.VHeadDim), heads.Values[h]);
            }
            else
            {
                FillBf16(pool, kvB, first, shape.VHeadDim, transposed: false, heads.Values[h]);
            }
        }
    }

    /// <summary>The kind W_UV is packed as: the stored type's, or bf16 where blocks of scales reach over heads.</summary>
    public static PackedKind KindOfValues(in WeightMatrix kvB, PackedKind kind, MlaShape shape) => CutsBetweenHeads(kvB, shape) ? kind : PackedKind.Bf16;

    private static bool CutsBetweenHeads(in WeightMatrix kvB, MlaShape shape)
        => kvB.ScaleLayout != ScaleLayout.Block || (shape.VHeadDim % kvB.ScaleBlockRows == 0 && shape.QkNopeHeadDim % kvB.ScaleBlockRows == 0);

    private static void FillBf16(WorkerPool pool, in WeightMatrix m, int firstRow, int rows, bool transposed, PackedMatrix matrix)
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
        WeightPacker.Fill(pool, decoded, matrix);
    }
}
