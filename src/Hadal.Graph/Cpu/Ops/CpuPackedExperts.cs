using Hadal.Kernels.Packed;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuPackedExperts(CpuBuffer x, CpuBuffer ids, CpuBuffer weights, PackedExpertWeights experts, CpuBuffer? residual, CpuBuffer y) : CpuOp
{
    public override unsafe void Run(CpuStep step)
        => step.Experts.Forward(step.Pool, x.Matrix(step), ids.Int32(step), weights.Matrix(step), experts, residual is { } r ? r.Matrix(step) : default, y.Matrix(step));
}
