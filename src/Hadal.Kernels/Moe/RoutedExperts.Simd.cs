using Hadal.Jit;
using Hadal.Kernels.Activation;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Moe;

public static unsafe partial class RoutedExperts
{
    // The counters of the grouping lie on the stack.
    private const int MaxExperts = 4096;

    private const long InlineMultiplyAdds = 64 * 1024;

    private const long InlineCombineFloats = 64 * 1024;

    private static void ForwardGrouped(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
    {
        int topK = weights.Columns;
        int inner = experts.Gate[0].Rows;
        int slots = x.Rows * topK;
        float* gate = scratch; // [slots, I]
        float* up = gate + ((nint)slots * inner); // [slots, I]
        float* outputs = up + ((nint)slots * inner); // [slots, D]
        int* slotOf = (int*)(outputs + ((nint)slots * x.Columns)); // [slots], grouped by expert
        int* tokenOf = slotOf + slots; // [slots], the token of each
        int* active = tokenOf + slots; // [experts in use]
        int* first = active + slots; // [experts in use + 1], where each one's slots begin
        int numActive = Group(ids, slots, topK, experts.NumExperts, slotOf, tokenOf, active, first);

        long multiplyAdds = (long)slots * inner * x.Columns;
        int crew = multiplyAdds <= InlineMultiplyAdds ? 1 : int.MaxValue;
        fixed (WeightMatrix* gates = experts.Gate, ups = experts.Up, downs = experts.Down)
        {
            var gateUp = new GateUpWork
            {
                Gate = gates,
                Up = ups,
                Active = active,
                First = first,
                NumActive = numActive,
                SlotOf = slotOf,
                TokenOf = tokenOf,
                X = x,
                GateOut = gate,
                UpOut = up,
                ChunkRows = ChunkRows(inner, numActive, pool.NumWorkers),
            };
            if (slots > 0)
            {
                pool.Run(ref gateUp, crew);
            }

            var down = new DownWork
            {
                Down = downs,
                Active = active,
                First = first,
                NumActive = numActive,
                SlotOf = slotOf,
                Inner = gate,
                Output = outputs,
                ChunkRows = ChunkRows(x.Columns, numActive, pool.NumWorkers),
            };
            if (slots > 0)
            {
                pool.Run(ref down, crew);
            }
        }

        var combine = new CombineWork { Outputs = outputs, Weights = weights, Residual = residual, Y = y };
        pool.Run(ref combine, (long)slots * x.Columns <= InlineCombineFloats ? 1 : int.MaxValue);
    }

    private static void ForwardTokenByToken(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, ExpertWeights experts, MatrixF32 residual, float* scratch, MatrixF32 y)
    {
        int topK = weights.Columns;
        int inner = experts.Gate[0].Rows;
        var gate = new MatrixF32(scratch, 1, inner, inner);
        var up = new MatrixF32(scratch + inner, 1, inner, inner);
        float* outputs = scratch + (2 * (nint)inner); // [TopK, D]
        for (int t = 0; t < x.Rows; t++)
        {
            var token = new MatrixF32(x.Row(t), 1, x.Columns, x.Stride);
            for (int k = 0; k < topK; k++)
            {
                int e = ids[((nint)t * topK) + k];
                MatMulNt.Forward(pool, token, new ReadOnlySpan<WeightMatrix>(in experts.Gate[e]), default, gate);
                MatMulNt.Forward(pool, token, new ReadOnlySpan<WeightMatrix>(in experts.Up[e]), default, up);
                Silu.MulForward(pool, gate, up, gate);
                var output = new MatrixF32(outputs + ((nint)k * x.Columns), 1, x.Columns, x.Columns);
                MatMulNt.Forward(pool, gate, new ReadOnlySpan<WeightMatrix>(in experts.Down[e]), default, output);
            }

            var combine = new CombineWork
            {
                Outputs = outputs,
                Weights = new MatrixF32(weights.Row(t), 1, topK, weights.Stride),
                Residual = residual.Data != null ? new MatrixF32(residual.Row(t), 1, x.Columns, residual.Stride) : default,
                Y = new MatrixF32(y.Row(t), 1, x.Columns, y.Stride),
            };
            combine.Run(0, 1);
        }
    }

    // Counting sort of the slots (t * TopK + k) by expert; experts nobody chose are left out. Returns the number in use.
    private static int Group(int* ids, int slots, int topK, int numExperts, int* slotOf, int* tokenOf, int* active, int* first)
    {
        Span<int> next = stackalloc int[numExperts];
        next.Clear();
        for (int s = 0; s < slots; s++)
        {
            next[ids[s]]++;
        }

        int numActive = 0;
        int start = 0;
        for (int e = 0; e < numExperts; e++)
        {
            int count = next[e];
            next[e] = start;
            if (count > 0)
            {
                active[numActive] = e;
                first[numActive++] = start;
                start += count;
            }
        }

        first[numActive] = start;
        for (int s = 0; s < slots; s++)
        {
            int at = next[ids[s]]++;
            slotOf[at] = s;
            tokenOf[at] = s / topK;
        }

        return numActive;
    }

    private static int ChunkRows(int rows, int numActive, int numWorkers)
        => MatMulNtWork.ChunkRows((int)Math.Min(int.MaxValue, (long)rows * numActive), numWorkers);
}
