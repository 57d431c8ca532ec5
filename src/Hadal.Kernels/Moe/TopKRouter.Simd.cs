using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Moe;

public static unsafe partial class TopKRouter
{
    private static void Dispatch(WorkerPool pool, MatrixF32 logits, ReadOnlySpan<float> correctionBias, in RouterConfig config, int* ids, MatrixF32 weights)
    {
        fixed (float* bias = correctionBias)
        {
            if (Lanes512.IsSupported)
            {
                Run<Lanes512, Vector512<float>>(pool, logits, bias, config, ids, weights);
            }
            else if (Lanes256.IsSupported)
            {
                Run<Lanes256, Vector256<float>>(pool, logits, bias, config, ids, weights);
            }
            else
            {
                Run<Lanes128, Vector128<float>>(pool, logits, bias, config, ids, weights);
            }
        }
    }

    private static void Run<TLanes, TV>(WorkerPool pool, MatrixF32 logits, float* bias, in RouterConfig config, int* ids, MatrixF32 weights)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        var work = new Work<TLanes, TV> { Logits = logits, Bias = bias, Config = config, Ids = ids, Weights = weights };

        // A score is an exponential, a division and its part of TopK scans: some sixteen times the cost of moving it.
        pool.Run(ref work, Split.Crew(pool, 16L * sizeof(float) * logits.Rows * logits.Columns));
    }

    private struct Work<TLanes, TV> : IWork
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public MatrixF32 Logits;
        public float* Bias;
        public RouterConfig Config;
        public int* Ids;
        public MatrixF32 Weights;

        public readonly void Run(int worker, int numWorkers)
        {
            int padded = Tile.Pad(Config.NumExperts);
            float* scores = Scratch.Worker((2 * padded) + Config.NumGroups);
            (int from, int to) = Split.Range(Logits.Rows, worker, numWorkers);
            for (int t = from; t < to; t++)
            {
                Route(t, scores, scores + padded, scores + (2 * padded));
            }
        }

        private readonly void Route(int t, float* scores, float* choice, float* groupScores)
        {
            int e = Config.NumExperts;
            int padded = Tile.Pad(e);
            Score(Logits.Row(t), scores);
            for (int i = 0; i < e; i++)
            {
                choice[i] = scores[i] + (Bias == null ? 0 : Bias[i]);
            }

            // NaN is what ArgMax does not see.
            new Span<float>(choice + e, padded - e).Fill(float.NaN);
            if (Config.NumGroups > 1)
            {
                DropGroups(choice, new Span<float>(groupScores, Config.NumGroups));
            }

            float sum = 0;
            float* weights = Weights.Row(t);
            for (int k = 0; k < Config.TopK; k++)
            {
                int best = ArgMax(choice, padded);
                Ids[((nint)t * Config.TopK) + k] = best;
                weights[k] = scores[best];
                sum += scores[best];
                choice[best] = float.NaN;
            }

            for (int k = 0; k < Config.TopK; k++)
            {
                weights[k] *= Config.ScalingFactor / (Config.NormTopkProb ? sum + 1e-20f : 1);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Score(float* logits, float* scores)
        {
            int e = Config.NumExperts;
            int whole = e / TLanes.Count * TLanes.Count;
            if (Config.Sigmoid)
            {
                for (int i = 0; i < e; i += TLanes.Count)
                {
                    TLanes.Store(scores + i, VectorMath<TLanes, TV>.Sigmoid(Load(logits, i, e)));
                }

                return;
            }

            TV maxima = TLanes.Broadcast(float.NegativeInfinity);
            for (int i = 0; i < whole; i += TLanes.Count)
            {
                maxima = TLanes.Max(TLanes.Load(logits + i), maxima);
            }

            float max = TLanes.MaxAcross(maxima);
            for (int i = whole; i < e; i++)
            {
                max = logits[i] > max ? logits[i] : max;
            }

            TV sums = default;
            for (int i = 0; i < e; i += TLanes.Count)
            {
                TV p = VectorMath<TLanes, TV>.Exp(TLanes.Subtract(Load(logits, i, e), TLanes.Broadcast(max)));
                TLanes.Store(scores + i, p);
                if (i < whole)
                {
                    sums = TLanes.Add(sums, p);
                }
            }

            float sum = TLanes.Sum(sums);
            for (int i = whole; i < e; i++)
            {
                sum += scores[i];
            }

            for (int i = 0; i < e; i += TLanes.Count)
            {
                TLanes.Store(scores + i, TLanes.Divide(TLanes.Load(scores + i), TLanes.Broadcast(sum)));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static TV Load(float* logits, int i, int e)
            => i + TLanes.Count <= e ? TLanes.Load(logits + i) : TLanes.LoadPartial(logits + i, e - i);

        private readonly void DropGroups(float* choice, Span<float> groupScores)
        {
            int perGroup = Config.NumExperts / Config.NumGroups;
            for (int g = 0; g < Config.NumGroups; g++)
            {
                var group = new ReadOnlySpan<float>(choice + (g * perGroup), perGroup);
                int best = TopKRouter.ArgMax(group, -1);
                groupScores[g] = group[best] + (Config.GroupScoreTopTwo && perGroup > 1 ? group[TopKRouter.ArgMax(group, best)] : 0);
            }

            for (int drop = 0; drop < Config.NumGroups - Config.TopkGroup; drop++)
            {
                int worst = WorstGroup(groupScores);
                if (worst < 0)
                {
                    break;
                }

                groupScores[worst] = float.NaN;
                new Span<float>(choice + (worst * perGroup), perGroup).Fill(float.NegativeInfinity);
            }
        }

        /// <summary>First index of the largest value that is not NaN; 0 where all are.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static int ArgMax(float* values, int padded)
        {
            // Max gives its second operand where one is NaN: NaN never gets in.
            TV maxima = TLanes.Broadcast(float.NegativeInfinity);
            for (int i = 0; i < padded; i += TLanes.Count)
            {
                maxima = TLanes.Max(TLanes.Load(values + i), maxima);
            }

            TV max = TLanes.Broadcast(TLanes.MaxAcross(maxima));
            for (int i = 0; i < padded; i += TLanes.Count)
            {
                uint equal = TLanes.EqualMask(TLanes.Load(values + i), max);
                if (equal != 0)
                {
                    return i + BitOperations.TrailingZeroCount(equal);
                }
            }

            return 0;
        }
    }
}
