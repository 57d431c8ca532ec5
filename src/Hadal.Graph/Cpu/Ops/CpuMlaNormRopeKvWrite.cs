using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Mla;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMlaNormRopeKvWrite(CpuBuffer kvA, ReadOnlyMemoryF32 normWeight, CpuBuffer table, MlaNormRopeKvWriteOp op) : CpuOp
{
    public override void Run(CpuStep step)
        => MlaNormRopeKvWrite.Forward(step.Pool, kvA.Matrix(step), normWeight.Span, op.Eps, table.Matrix(step), op.Interleaved, step.Paged, step.Pages[op.Layer]);
}
