using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>A weight of a checkpoint as numbers: whatever type it is stored in, decoded row by row. The tensor source must outlive it.</summary>
/// <remarks>Thread-safe but for <see cref="Dispose"/>.</remarks>
public sealed unsafe class StoredMatrix : IDisposable
{
    private readonly WeightMatrix _matrix;
    private readonly NativeBuffer? _scales;

    /// <param name="source">Where it lies.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="spec">Name and shape; a vector is one row.</param>
    /// <exception cref="HadalException">It is missing, or of another shape, or of a type that cannot be computed with.</exception>
    public StoredMatrix(ITensorSource source, (int Rows, int Columns)? fp8Block, WeightSpec spec)
    {
        var stored = new StoredWeights(source, fp8Block);
        _matrix = stored.Describe(spec, stored.Find(spec), out StoredTensor? scales);
        if (scales is not null)
        {
            int count = checked((int)scales.NumElements);
            _scales = NativeBuffer.Of<float>(count);
            var row = new WeightMatrix { Data = scales.Data, DType = scales.DType, Rows = 1, Columns = count, RowBytes = (nint)scales.ByteLength };
            WeightDecoder.DecodeRow(row, 0, 0, count, _scales.As<float>());
            _matrix = _matrix with { Scales = _scales.As<float>() };
        }
    }

    public int Rows => _matrix.Rows;

    public int Columns => _matrix.Columns;

    /// <summary>The type its values are stored in.</summary>
    public DType DType => _matrix.DType;

    /// <summary>Bytes as stored, scales included.</summary>
    public long ByteLength => CpuWeights.ByteLengthOf(_matrix);

    /// <summary>One whole row.</summary>
    public void Decode(int row, Span<float> destination)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)row, (uint)Rows, nameof(row));
        ArgumentOutOfRangeException.ThrowIfNotEqual(destination.Length, Columns, nameof(destination));
        fixed (float* to = destination)
        {
            WeightDecoder.DecodeRow(_matrix, row, 0, Columns, to);
        }
    }

    /// <summary>y = x · Wᵀ.</summary>
    public void Multiply(WorkerPool pool, MatrixF32 x, MatrixF32 y) => MatMulNt.Forward(pool, x, [_matrix], default, y);

    public void Dispose() => _scales?.Dispose();
}
