using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Elementwise;

/// <summary>One element's operation, for <see cref="BinaryMap"/>.</summary>
internal interface IBinaryOp
{
    static abstract TV Apply<TLanes, TV>(TV a, TV b)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged;
}
