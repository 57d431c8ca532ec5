using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

public static unsafe partial class MlaExpandValue
{
    // Decoded rows that stay in L1 while all tokens pass over them; as many as RowDots takes at once.
    private const int PieceRows = 8;

    private static void Dispatch(WorkerPool pool, MatrixF32 oLatent, in WeightMatrix kvB, MlaShape shape, MatrixF32 o)
    {
        if (Lanes512.IsSupported)
        {
            Run<Lanes512, Vector512<float>>(pool, oLatent, kvB, shape, o);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(pool, oLatent, kvB, shape, o);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(pool, oLatent, kvB, shape, o);
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 oLatent, in WeightMatrix kvB, MlaShape shape, MatrixF32 o)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV> { OLatent = oLatent, KvB = kvB, Shape = shape, O = o };
        pool.Run(ref work, Split.Crew(pool, MlaCost.Bytes(shape, shape.VHeadDim, oLatent.Rows)));
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 OLatent;
        public WeightMatrix KvB;
        public MlaShape Shape;
        public MatrixF32 O;

        public readonly void Run(int worker, int numWorkers)
        {
            int c = Shape.KvLoraRank;
            int padded = Tile.Pad(c);
            int pieces = (Shape.VHeadDim + PieceRows - 1) / PieceRows;
            float* decoded = Scratch.Worker((PieceRows + 1) * padded);
            float* token = decoded + (PieceRows * padded);
            new Span<float>(decoded, (PieceRows + 1) * padded).Clear();
            (int from, int to) = Split.Range(Shape.NumHeads * pieces, worker, numWorkers);
            for (int unit = from; unit < to; unit++)
            {
                (int h, int piece) = Math.DivRem(unit, pieces);
                int n = piece * PieceRows;
                int rows = Math.Min(PieceRows, Shape.VHeadDim - n);
                int firstRow = (h * (Shape.QkNopeHeadDim + Shape.VHeadDim)) + Shape.QkNopeHeadDim + n;
                for (int i = 0; i < rows; i++)
                {
                    WeightDecoder.DecodeRow(KvB, firstRow + i, 0, c, decoded + (i * padded));
                }

                float* latent = OLatent.Data + (h * c);
                float* o = O.Data + (h * Shape.VHeadDim) + n;
                if (c % TLanes.Count == 0)
                {
                    RowDots<TLanes, TV>.Multiply(OLatent.Rows, rows, c, latent, OLatent.Stride, decoded, padded, o, O.Stride);
                    continue;
                }

                // Whole registers would read the next head's latent: each token goes through a padded copy.
                for (int t = 0; t < OLatent.Rows; t++)
                {
                    new ReadOnlySpan<float>(latent + (t * OLatent.Stride), c).CopyTo(new Span<float>(token, c));
                    RowDots<TLanes, TV>.Multiply(1, rows, padded, token, padded, decoded, padded, o + (t * O.Stride), O.Stride);
                }
            }
        }
    }
}
