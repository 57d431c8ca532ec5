using Hadal.Jit;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>Brings stored weights into the order of a packed format, their own bits as far as the format holds them.</summary>
public static unsafe class WeightPacker
{
    /// <summary>The kind that holds a stored type, or null where none does and the matrix is computed with as stored.</summary>
    public static PackedKind? KindFor(in WeightMatrix w) => w.DType switch
    {
        DType.Bf16 when w.ScaleLayout == ScaleLayout.None => PackedKind.Bf16,
        DType.I8 when w.ScaleLayout == ScaleLayout.PerRow => PackedKind.Int8,
        DType.F8E4M3 when w.ScaleLayout == ScaleLayout.Block && w.ScaleBlockRows % PackedFormat.PanelRows == 0 && w.ScaleBlockColumns == 128 => PackedKind.Fp8Block,
        DType.Q8_0 or DType.Q5_0 => PackedKind.Int8Group32,
        DType.Q6_K => PackedKind.Int8Group16,
        DType.Q4_0 => PackedKind.Int4Group32,
        DType.Q4_1 or DType.Q4_K => PackedKind.Int4Group32Min,
        DType.Q5_1 or DType.Q5_K => PackedKind.Int8Group32Min,
        _ => null,
    };

    /// <param name="pool">Workers.</param>
    /// <param name="w">The weights.</param>
    /// <param name="kind">What <see cref="KindFor"/> says, or <see cref="PackedKind.Int8"/> for any type: then rows are rounded to int8 with a scale each.</param>
    /// <param name="arena">Where the packed matrix will lie.</param>
    public static PackedMatrix Pack(WorkerPool pool, in WeightMatrix w, PackedKind kind, NativeArena arena)
    {
        PackedMatrix matrix = Reserve(w, kind, arena);
        Fill(pool, w, matrix);
        return matrix;
    }

    /// <summary>The memory of a packed matrix, still zeros.</summary>
    public static PackedMatrix Reserve(in WeightMatrix w, PackedKind kind, NativeArena arena)
    {
        WeightDecoder.Validate(w, nameof(w));
        return new PackedMatrix(PackedFormat.Of(kind), w.Rows, w.Columns, arena);
    }

    /// <summary>Packs into memory that <see cref="Reserve"/> gave for the same weights. What only fills a panel is left as it is: zeros.</summary>
    public static void Fill(WorkerPool pool, in WeightMatrix w, PackedMatrix matrix)
    {
        WeightDecoder.Validate(w, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(matrix.Rows, w.Rows, nameof(matrix));
        ArgumentOutOfRangeException.ThrowIfNotEqual(matrix.Columns, w.Columns, nameof(matrix));
        var work = new PackWork(w, matrix, pool.Split(matrix.NumBlocks));
        pool.Run(ref work);
    }
}
