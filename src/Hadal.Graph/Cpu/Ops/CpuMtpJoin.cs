using Hadal.Kernels;
using Hadal.Kernels.Norm;

namespace Hadal.Graph.Cpu.Ops;

internal sealed class CpuMtpJoin(CpuBuffer embedding, CpuBuffer hidden, ReadOnlyMemoryF32 embeddingNorm, ReadOnlyMemoryF32 hiddenNorm, float eps, CpuBuffer output) : CpuOp
{
    public override unsafe void Run(CpuStep step)
    {
        MatrixF32 y = output.Matrix(step);
        int d = embedding.Columns;
        RmsNorm.Forward(step.Pool, embedding.Matrix(step), embeddingNorm.Span, eps, new MatrixF32(y.Data, y.Rows, d, y.Stride));
        RmsNorm.Forward(step.Pool, hidden.Matrix(step), hiddenNorm.Span, eps, new MatrixF32(y.Data + d, y.Rows, d, y.Stride));
    }
}
