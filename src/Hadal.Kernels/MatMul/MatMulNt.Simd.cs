using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

public static unsafe partial class MatMulNt
{
    // Under about this many multiply-adds (a few microseconds) waking the others costs more than they bring.
    private const long InlineMultiplyAdds = 64 * 1024;

    private static void ForwardSimd(WorkerPool pool, MatrixF32 x, ReadOnlySpan<WeightMatrix> parts, in MatMulEpilogue epilogue, MatrixF32 y)
    {
        fixed (WeightMatrix* p = parts)
        {
            var work = new MatMulNtWork(x, p, parts.Length, epilogue, y, pool.NumWorkers);
            long multiplyAdds = (long)x.Rows * x.Columns * y.Columns;
            pool.Run(ref work, multiplyAdds <= InlineMultiplyAdds ? 1 : work.NumChunks);
        }
    }
}
