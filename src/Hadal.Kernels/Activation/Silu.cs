using Hadal.Jit;
using Hadal.Kernels.Elementwise;

namespace Hadal.Kernels.Activation;

/// <summary>silu(x) = x / (1 + e^-x), alone and times a gate's partner: y = silu(gate) · up.</summary>
/// <remarks>
/// All [T, N] f32; y may alias an input. Within 4 ulp of the reference where the result is normal; below -88.7 it is -0.
/// Thread-safe for distinct outputs; allocates nothing. Source: arXiv:1702.03118, 2002.05202.
/// </remarks>
public static unsafe partial class Silu
{
    public static void Forward(WorkerPool pool, MatrixF32 x, MatrixF32 y)
    {
        if (ProcessIsa.IsScalar)
        {
            ForwardReference(x, y);
            return;
        }

        BinaryMap.Run<SiluOp>(pool, x, x, y);
    }

    public static void MulForward(WorkerPool pool, MatrixF32 gate, MatrixF32 up, MatrixF32 y)
    {
        if (ProcessIsa.IsScalar)
        {
            MulForwardReference(gate, up, y);
            return;
        }

        BinaryMap.Run<SiluMulOp>(pool, gate, up, y);
    }
}
