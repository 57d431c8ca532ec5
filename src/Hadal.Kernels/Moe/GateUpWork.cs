using Hadal.Jit;
using Hadal.Kernels.Activation;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Moe;

/// <summary>GateOut[s, :] = silu(gate_e·x) · (up_e·x) for all (token, k) slots, experts and rows at once.</summary>
internal unsafe struct GateUpWork : IWork
{
    public WeightMatrix* Gate, Up;

    public int* Active, First, SlotOf, TokenOf;

    public int NumActive;

    public MatrixF32 X;

    public float* GateOut, UpOut;

    public int ChunkRows;

    private int _next;

    public void Run(int worker, int numWorkers)
    {
        int inner = Gate[Active[0]].Rows;
        int chunks = (inner + ChunkRows - 1) / ChunkRows;
        while (true)
        {
            int item = Interlocked.Increment(ref _next) - 1;
            if (item >= (long)NumActive * chunks)
            {
                return;
            }

            int a = item / chunks;
            int row = item % chunks * ChunkRows;
            int rows = Math.Min(ChunkRows, inner - row);
            var job = new RowsJob
            {
                W = Gate[Active[a]],
                X = X.Data,
                XStride = X.Stride,
                XRows = TokenOf + First[a],
                Y = GateOut,
                YStride = inner,
                YRows = SlotOf + First[a],
                NumTokens = First[a + 1] - First[a],
            };
            job.Run(row, rows);
            job.W = Up[Active[a]];
            job.Y = UpOut;
            job.Run(row, rows);

            // These rows of both are this worker's own and still in its cache.
            for (int i = First[a]; i < First[a + 1]; i++)
            {
                nint at = ((nint)SlotOf[i] * inner) + row;
                BinaryMap.Row<SiluMulOp>(GateOut + at, UpOut + at, GateOut + at, rows);
            }
        }
    }
}
