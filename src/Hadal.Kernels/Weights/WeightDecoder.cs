using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Weights;

/// <summary>Stored weights to float32, one row at a time.</summary>
/// <remarks>The same bits as the reference on every instruction set: its arithmetic is exact up to one last rounding, and the vector forms keep that rounding.</remarks>
public static unsafe partial class WeightDecoder
{
    /// <summary>Decodes W[row, firstColumn … firstColumn + count) into <paramref name="destination"/>, scales applied.</summary>
    /// <remarks>For block types both ends must be whole blocks (or the row's end).</remarks>
    public static void DecodeRow(in WeightMatrix w, int row, int firstColumn, int count, float* destination)
    {
        if (ProcessIsa.IsScalar)
        {
            DecodeRowReference(w, row, firstColumn, count, destination);
            return;
        }

        if (Lanes512.IsSupported)
        {
            DecodeRowSimd<Lanes512, Vector512<float>>(w, row, firstColumn, count, destination);
        }
        else if (Lanes256.IsSupported)
        {
            DecodeRowSimd<Lanes256, Vector256<float>>(w, row, firstColumn, count, destination);
        }
        else
        {
            DecodeRowSimd<Lanes128, Vector128<float>>(w, row, firstColumn, count, destination);
        }
    }

    /// <summary>Throws unless kernels can compute with a matrix like this and its layout makes sense.</summary>
    public static void Validate(in WeightMatrix w, string parameterName)
    {
        if (!IsSupported(w.DType))
        {
            throw new HadalException(
                $"{parameterName}: weights of type {w.DType} [{w.Rows}, {w.Columns}] cannot be computed with; expected F32, F16, BF16, F8_E4M3, F8_E5M2, I8 or a GGUF type of Q8_0, Q4_0/1, Q5_0/1, Q4_K, Q5_K, Q6_K");
        }

        ArgumentOutOfRangeException.ThrowIfNegative(w.Rows, parameterName);
        ArgumentOutOfRangeException.ThrowIfNegative(w.Columns, parameterName);
        if (w.Rows > 0 && w.Columns > 0)
        {
            ArgumentNullException.ThrowIfNull(w.Data, parameterName);
        }

        // RowBytes also refuses rows that are not whole blocks.
        ArgumentOutOfRangeException.ThrowIfLessThan(w.RowBytes, w.DType.RowBytes(w.Columns), parameterName);
        if (w.ScaleLayout == ScaleLayout.None || w.Rows == 0 || w.Columns == 0)
        {
            return;
        }

        ArgumentNullException.ThrowIfNull(w.Scales, parameterName);
        if (w.ScaleLayout == ScaleLayout.Block)
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(w.ScaleBlockRows, parameterName);
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(w.ScaleBlockColumns, parameterName);
            ArgumentOutOfRangeException.ThrowIfLessThan(w.ScaleStride, 1 + ((w.Columns - 1) / w.ScaleBlockColumns), parameterName);
        }
    }

    private static bool IsSupported(DType dtype) => dtype is DType.F32 or DType.F16 or DType.Bf16 or DType.F8E4M3 or DType.F8E5M2 or DType.I8
        or DType.Q8_0 or DType.Q4_0 or DType.Q4_1 or DType.Q5_0 or DType.Q5_1 or DType.Q4_K or DType.Q5_K or DType.Q6_K;
}
