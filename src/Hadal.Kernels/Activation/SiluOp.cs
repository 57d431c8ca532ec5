using System.Runtime.CompilerServices;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Activation;

/// <summary>silu(a); b is not looked at</summary>
internal readonly struct SiluOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TLanes, TV>(TV a, TV b)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        => VectorMath<TLanes, TV>.Silu(a);
}
