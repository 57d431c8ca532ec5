using Hadal.Kernels.Rope;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuRope(CpuBuffer x, CpuBuffer table, int numHeads, int start, bool interleaved, CpuBuffer y) : CpuOp
{
    public override void Run(CpuStep step)
        => RotaryEmbedding.Forward(step.Pool, x.Matrix(step), table.Matrix(step), numHeads, start, interleaved, y.Matrix(step));
}
