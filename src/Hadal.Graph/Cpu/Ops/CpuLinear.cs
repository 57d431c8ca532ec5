using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

/// <param name="x">[T, K].</param>
/// <param name="parts">Weights joined along N.</param>
/// <param name="bias">[N], or of length 0.</param>
/// <param name="residual">[T, N], or null.</param>
/// <param name="y">[T, N].</param>
internal sealed class CpuLinear(CpuBuffer x, WeightMatrix[] parts, ReadOnlyMemoryF32 bias, CpuBuffer? residual, CpuBuffer y) : CpuOp
{
    public override unsafe void Run(CpuStep step)
    {
        var epilogue = new MatMulEpilogue
        {
            Bias = bias.Length == 0 ? null : bias.Data,
            Residual = residual is { } r ? r.Matrix(step) : default,
        };
        MatMulNt.Forward(step.Pool, x.Matrix(step), parts, epilogue, y.Matrix(step));
    }
}
