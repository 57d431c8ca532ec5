using System.Runtime.CompilerServices;

namespace Hadal.Kernels.Vectors;

/// <summary>C[i, j] = A[i, :] · B[j, :], lanes along the depth: the form for few rows of A, where packing them across lanes would leave most lanes idle.</summary>
internal static unsafe class RowDots<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    /// <summary>k is a whole number of registers (both sides padded with zeros). Every element sums in the same order, however many rows there are.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Multiply(int m, int n, int k, float* a, nint aStride, float* b, nint bStride, float* c, nint cStride)
    {
        int j = 0;
        for (; j + 8 <= n; j += 8)
        {
            for (int i = 0; i < m; i++)
            {
                float* x = a + (i * aStride);
                float* y = b + (j * bStride);
                float* y4 = y + (4 * bStride);
                TV s0 = default;
                TV s1 = default;
                TV s2 = default;
                TV s3 = default;
                TV s4 = default;
                TV s5 = default;
                TV s6 = default;
                TV s7 = default;
                for (int d = 0; d < k; d += TLanes.Count)
                {
                    TV v = TLanes.Load(x + d);
                    s0 = TLanes.MultiplyAdd(v, TLanes.Load(y + d), s0);
                    s1 = TLanes.MultiplyAdd(v, TLanes.Load(y + bStride + d), s1);
                    s2 = TLanes.MultiplyAdd(v, TLanes.Load(y + (2 * bStride) + d), s2);
                    s3 = TLanes.MultiplyAdd(v, TLanes.Load(y + (3 * bStride) + d), s3);
                    s4 = TLanes.MultiplyAdd(v, TLanes.Load(y4 + d), s4);
                    s5 = TLanes.MultiplyAdd(v, TLanes.Load(y4 + bStride + d), s5);
                    s6 = TLanes.MultiplyAdd(v, TLanes.Load(y4 + (2 * bStride) + d), s6);
                    s7 = TLanes.MultiplyAdd(v, TLanes.Load(y4 + (3 * bStride) + d), s7);
                }

                TLanes.StoreSums(c + (i * cStride) + j, s0, s1, s2, s3, s4, s5, s6, s7);
            }
        }

        for (; j < n; j++)
        {
            for (int i = 0; i < m; i++)
            {
                float* x = a + (i * aStride);
                float* y = b + (j * bStride);
                TV s = default;
                for (int d = 0; d < k; d += TLanes.Count)
                {
                    s = TLanes.MultiplyAdd(TLanes.Load(x + d), TLanes.Load(y + d), s);
                }

                c[(i * cStride) + j] = TLanes.Sum(s);
            }
        }
    }
}
