using Hadal.Kernels;
using Hadal.Kernels.Moe;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuExperts(CpuBuffer x, CpuBuffer ids, CpuBuffer weights, ExpertWeights experts, CpuBuffer? residual, bool grouped, CpuBuffer y) : CpuOp
{
    public override long ScratchFloats(int numTokens)
        => RoutedExperts.ScratchFloats(numTokens, weights.Columns, x.Columns, experts.Gate[0].Rows);

    public override unsafe void Run(CpuStep step)
    {
        MatrixF32 add = residual is { } r ? r.Matrix(step) : default;
        if (grouped)
        {
            RoutedExperts.Forward(step.Pool, x.Matrix(step), ids.Int32(step), weights.Matrix(step), experts, add, step.Scratch, y.Matrix(step));
        }
        else
        {
            RoutedExperts.ForwardTokenwise(step.Pool, x.Matrix(step), ids.Int32(step), weights.Matrix(step), experts, add, step.Scratch, y.Matrix(step));
        }
    }
}
