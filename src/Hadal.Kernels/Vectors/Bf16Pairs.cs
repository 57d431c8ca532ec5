using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Hadal.Kernels.Vectors;

/// <summary>Floats to bf16, to the nearest, ties to even, as vdpbf16ps reads them: pairs of neighbours in 32 bits.</summary>
/// <remarks>AVX2 as it stands: whoever has the instructions of the emitted kernels has that.</remarks>
internal static unsafe class Bf16Pairs
{
    /// <summary>8 floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> Round(float* values)
    {
        Vector256<uint> bits = Bits(Avx.LoadVector256(values));
        return Sse41.PackUnsignedSaturate(bits.GetLower().AsInt32(), bits.GetUpper().AsInt32()).AsUInt32();
    }

    /// <summary>Upper halves, rounded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<uint> Bits(Vector256<float> v)
    {
        Vector256<uint> bits = v.AsUInt32();
        Vector256<uint> odd = Avx2.And(Avx2.ShiftRightLogical(bits, 16), Vector256.Create(1u));
        Vector256<uint> nearest = Avx2.Add(Avx2.Add(bits, Vector256.Create(0x7FFFu)), odd);
        // A NaN whose bits are all ones would round over into zero.
        Vector256<uint> nan = Avx2.Or(bits, Vector256.Create(0x400000u));
        return Avx2.ShiftRightLogical(Avx2.BlendVariable(nan, nearest, Avx.CompareOrdered(v, v).AsUInt32()), 16);
    }
}
