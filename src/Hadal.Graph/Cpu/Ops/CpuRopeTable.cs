using Hadal.Kernels.Rope;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuRopeTable(float[] inverseFrequencies, float magnitude, CpuBuffer table) : CpuOp
{
    public override unsafe void Run(CpuStep step)
        => RopeTable.Forward(step.Paged.Positions, inverseFrequencies, magnitude, table.Matrix(step));
}
