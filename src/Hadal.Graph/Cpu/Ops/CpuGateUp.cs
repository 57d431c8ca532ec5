using Hadal.Kernels;
using Hadal.Kernels.Activation;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

/// <summary>Gate and up as stored, into scratch, then activated.</summary>
internal sealed class CpuGateUp(CpuBuffer x, WeightMatrix gate, WeightMatrix up, CpuBuffer y) : CpuOp
{
    private readonly WeightMatrix[] _parts = [gate, up];

    public override long ScratchFloats(int numTokens) => 2L * numTokens * gate.Rows;

    public override unsafe void Run(CpuStep step)
    {
        MatrixF32 output = y.Matrix(step);
        var both = new MatrixF32(step.Scratch, output.Rows, 2 * gate.Rows, 2 * gate.Rows);
        MatMulNt.Forward(step.Pool, x.Matrix(step), _parts, default, both);
        Silu.MulForward(
            step.Pool,
            new MatrixF32(both.Data, both.Rows, gate.Rows, both.Stride),
            new MatrixF32(both.Data + gate.Rows, both.Rows, gate.Rows, both.Stride),
            output);
    }
}
