using System.Runtime.CompilerServices;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Activation;

/// <summary>silu(a) · b</summary>
internal readonly struct SiluMulOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TLanes, TV>(TV a, TV b)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        => TLanes.Multiply(VectorMath<TLanes, TV>.Silu(a), b);
}
