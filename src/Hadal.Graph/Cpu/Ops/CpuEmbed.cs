using Hadal.Kernels.Embedding;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuEmbed(WeightMatrix weight, CpuBuffer output) : CpuOp
{
    public override unsafe void Run(CpuStep step) => EmbeddingLookup.Forward(step.Batch.Tokens, weight, output.Matrix(step));
}
