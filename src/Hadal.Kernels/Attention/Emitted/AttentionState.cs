using System.Runtime.Intrinsics;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>What 16 rows know of the keys so far: largest score, sum of 2^(score − largest), and values weighted with it.</summary>
internal static unsafe class AttentionState
{
    private const int Sum = AttentionArgs.SumOffset / sizeof(float);
    private const int Values = AttentionArgs.ValuesOffset / sizeof(float);

    public static void Clear(float* state, int valueDim)
    {
        new Span<float>(state, AttentionArgs.Rows).Fill(float.NegativeInfinity);
        new Span<float>(state + AttentionArgs.Rows, AttentionArgs.StateFloats(valueDim) - AttentionArgs.Rows).Clear();
    }

    /// <summary>into = both, for one row.</summary>
    public static void Merge(float* from, float* into, int row, int valueDim)
    {
        float largest = MathF.Max(from[row], into[row]);
        if (float.IsNegativeInfinity(largest))
        {
            return;
        }

        float a = MathF.Pow(2, into[row] - largest);
        float b = MathF.Pow(2, from[row] - largest);
        into[row] = largest;
        into[Sum + row] = (a * into[Sum + row]) + (b * from[Sum + row]);
        float* x = into + Values + (row * AttentionArgs.ValueStride(valueDim));
        float* y = from + Values + (row * AttentionArgs.ValueStride(valueDim));
        for (int c = 0; c < valueDim; c += 8)
        {
            ((Vector256.Load(x + c) * a) + (Vector256.Load(y + c) * b)).Store(x + c);
        }
    }

    public static void Finish(float* state, int row, int valueDim, float* output)
    {
        float inverse = 1 / state[Sum + row];
        float* values = state + Values + (row * AttentionArgs.ValueStride(valueDim));
        for (int c = 0; c < valueDim; c += 8)
        {
            (Vector256.Load(values + c) * inverse).Store(output + c);
        }
    }
}
