using Hadal.Jit;

namespace Hadal.Kernels.Activation;

/// <summary>silu(x) = x / (1 + e^-x), alone and times a gate's partner: y = silu(gate) · up.</summary>
/// <remarks>All [T, N] f32; y may alias an input. Source: arXiv:1702.03118, 2002.05202.</remarks>
public static unsafe partial class Silu
{
    public static void Forward(WorkerPool pool, MatrixF32 x, MatrixF32 y) => ForwardReference(x, y);

    public static void MulForward(WorkerPool pool, MatrixF32 gate, MatrixF32 up, MatrixF32 y) => MulForwardReference(gate, up, y);
}
