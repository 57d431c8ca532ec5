using System.Numerics;
using Hadal.Jit;
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
                SiluMul(GateOut + at, UpOut + at, rows);
            }
        }
    }

    private static void SiluMul(float* gate, float* up, int count)
    {
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector.Store(SiluMul(Vector.Load(gate + i), Vector.Load(up + i)), gate + i);
        }

        if (i < count)
        {
            // Through the same vector arithmetic: where a chunk ends must not show in the bits.
            Span<float> padded = stackalloc float[2 * Vector<float>.Count];
            padded.Clear();
            new Span<float>(gate + i, count - i).CopyTo(padded);
            new Span<float>(up + i, count - i).CopyTo(padded[Vector<float>.Count..]);
            Vector<float> tail = SiluMul(new Vector<float>(padded), new Vector<float>(padded[Vector<float>.Count..]));
            tail.CopyTo(padded);
            padded[..(count - i)].CopyTo(new Span<float>(gate + i, count - i));
        }
    }

    private static Vector<float> SiluMul(Vector<float> gate, Vector<float> up)
        => gate / (Vector<float>.One + Vector.Exp(-gate)) * up;
}
