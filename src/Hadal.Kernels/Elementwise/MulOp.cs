using System.Runtime.CompilerServices;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Elementwise;

/// <summary>a · b</summary>
internal readonly struct MulOp : IBinaryOp
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TV Apply<TLanes, TV>(TV a, TV b)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        => TLanes.Multiply(a, b);
}
