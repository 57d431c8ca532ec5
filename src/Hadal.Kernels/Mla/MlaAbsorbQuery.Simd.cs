using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaAbsorbQuery
{
    // A whole number of every type's blocks; splits the latents of published models in two, so that 16 heads feed 32 workers.
    private const int PieceColumns = 256;

    // 32 decoded rows of a piece fill half of L1.
    private const int PieceRows = 32;

    private static void Dispatch(WorkerPool pool, MatrixF32 q, in WeightMatrix kvB, MlaShape shape, MatrixF32 qLatent)
    {
        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, q, kvB, shape, qLatent);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, q, kvB, shape, qLatent);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, q, kvB, shape, qLatent);
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 q, in WeightMatrix kvB, MlaShape shape, MatrixF32 qLatent)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV> { Q = q, KvB = kvB, Shape = shape, QLatent = qLatent };
        pool.Run(ref work, Split.Crew(pool, MlaCost.Bytes(shape, shape.QkNopeHeadDim, q.Rows)));
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 Q;
        public WeightMatrix KvB;
        public MlaShape Shape;
        public MatrixF32 QLatent;

        public readonly void Run(int worker, int numWorkers)
        {
            int c = Shape.KvLoraRank;
            int pieces = (c + PieceColumns - 1) / PieceColumns;
            int stride = Tile.Pad(Math.Min(c, PieceColumns));
            float* decoded = Scratch.Worker(PieceRows * stride);
            (int from, int to) = Split.Range(Shape.NumHeads * pieces, worker, numWorkers);
            for (int unit = from; unit < to; unit++)
            {
                (int h, int piece) = Math.DivRem(unit, pieces);
                int column = piece * PieceColumns;
                int columns = Math.Min(PieceColumns, c - column);
                int firstRow = h * (Shape.QkNopeHeadDim + Shape.VHeadDim);
                for (int n = 0; n < Shape.QkNopeHeadDim; n += PieceRows)
                {
                    int rows = Math.Min(PieceRows, Shape.QkNopeHeadDim - n);
                    for (int i = 0; i < rows; i++)
                    {
                        WeightDecoder.DecodeRow(KvB, firstRow + n + i, column, columns, decoded + (i * stride));
                    }

                    OuterProduct<TLanes, TV>.Multiply(
                        Q.Rows, columns, rows,
                        Q.Data + (h * Shape.QkHeadDim) + n, Q.Stride, 1,
                        decoded, stride,
                        QLatent.Data + (h * Shape.CacheWidth) + column, QLatent.Stride, accumulate: n > 0);
                }

                for (int t = 0; piece == 0 && t < Q.Rows; t++)
                {
                    float* rope = Q.Row(t) + (h * Shape.QkHeadDim) + Shape.QkNopeHeadDim;
                    new ReadOnlySpan<float>(rope, Shape.QkRopeHeadDim).CopyTo(new Span<float>(QLatent.Row(t) + (h * Shape.CacheWidth) + c, Shape.QkRopeHeadDim));
                }
            }
        }
    }
}
