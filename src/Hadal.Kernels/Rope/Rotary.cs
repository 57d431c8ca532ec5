using System.Runtime.CompilerServices;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Rope;

/// <summary>Rotates the pairs of one head in place.</summary>
internal static unsafe class Rotary<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    /// <param name="head">2 · half columns.</param>
    /// <param name="cos">half cosines; the sines follow them.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Rotate(float* head, float* cos, int half, bool interleaved)
    {
        float* sin = cos + half;
        int i = 0;
        if (interleaved)
        {
            // Lanes (a, b): a·cos + b·(-sin), b·cos + a·sin.
            int pairs = TLanes.Count / 2;
            for (; i + pairs <= half; i += pairs)
            {
                TV x = TLanes.Load(head + (2 * i));
                TV s = TLanes.Multiply(TLanes.LoadPairs(sin + i), TLanes.AlternatingSigns);
                TLanes.Store(head + (2 * i), TLanes.MultiplyAdd(x, TLanes.LoadPairs(cos + i), TLanes.Multiply(TLanes.SwapPairs(x), s)));
            }

            for (; i < half; i++)
            {
                float a = head[2 * i];
                float b = head[(2 * i) + 1];
                head[2 * i] = (a * cos[i]) - (b * sin[i]);
                head[(2 * i) + 1] = (b * cos[i]) + (a * sin[i]);
            }

            return;
        }

        for (; i + TLanes.Count <= half; i += TLanes.Count)
        {
            TV a = TLanes.Load(head + i);
            TV b = TLanes.Load(head + half + i);
            TV c = TLanes.Load(cos + i);
            TV s = TLanes.Load(sin + i);
            TLanes.Store(head + i, TLanes.Subtract(TLanes.Multiply(a, c), TLanes.Multiply(b, s)));
            TLanes.Store(head + half + i, TLanes.MultiplyAdd(b, c, TLanes.Multiply(a, s)));
        }

        for (; i < half; i++)
        {
            float a = head[i];
            float b = head[half + i];
            head[i] = (a * cos[i]) - (b * sin[i]);
            head[half + i] = (b * cos[i]) + (a * sin[i]);
        }
    }
}
