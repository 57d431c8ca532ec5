using Hadal.Jit;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Moe;

/// <summary>Output[s, :] = down_e · Inner[s, :] for all (token, k) slots, experts and rows at once.</summary>
internal unsafe struct DownWork : IWork
{
    public WeightMatrix* Down;

    public int* Active, First, SlotOf;

    public int NumActive;

    public float* Inner, Output;

    public int ChunkRows;

    private int _next;

    public void Run(int worker, int numWorkers)
    {
        int hidden = Down[Active[0]].Rows;
        int chunks = (hidden + ChunkRows - 1) / ChunkRows;
        while (true)
        {
            int item = Interlocked.Increment(ref _next) - 1;
            if (item >= (long)NumActive * chunks)
            {
                return;
            }

            int a = item / chunks;
            int row = item % chunks * ChunkRows;
            int* slots = SlotOf + First[a];
            var job = new RowsJob
            {
                W = Down[Active[a]],
                X = Inner,
                XStride = Down[Active[a]].Columns,
                XRows = slots,
                Y = Output,
                YStride = hidden,
                YRows = slots,
                NumTokens = First[a + 1] - First[a],
            };
            job.Run(row, Math.Min(ChunkRows, hidden - row));
        }
    }
}
