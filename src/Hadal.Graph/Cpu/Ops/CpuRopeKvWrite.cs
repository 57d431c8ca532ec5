using Hadal.Graph.Ir.Ops;
using Hadal.Kernels.Rope;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuRopeKvWrite(CpuBuffer k, CpuBuffer v, CpuBuffer table, RopeKvWriteOp op) : CpuOp
{
    public override void Run(CpuStep step)
        => RopeKvWrite.Forward(step.Pool, k.Matrix(step), v.Matrix(step), table.Matrix(step), op.NumKvHeads, op.Start, op.Interleaved, step.Paged, step.Pages[op.Layer]);
}
