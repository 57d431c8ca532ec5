using System.Runtime.CompilerServices;

namespace Hadal.Kernels.Vectors;

/// <summary>The one matrix product of attention: C[i, j] (+)= Σ_k A[i, k] · B[k, j], lanes along j, A broadcast.</summary>
/// <remarks>
/// Scores (keys × packed queries), values (probabilities × values), expansion of latents and absorption of queries all have this form.
/// Every element is one chain of multiply-adds in the order of k, whatever tile it falls into: results do not depend on how many rows are computed together.
/// An 8 × 2 tile does 16 multiply-adds for 10 loads, so two loads and two multiply-adds a cycle keep the multipliers busy.
/// </remarks>
internal static unsafe class OuterProduct<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    /// <summary>A[i, k] lies at a + i · aRow + k · aDepth. Rows of B must be readable to a whole register past column n; of C nothing past column n is touched.</summary>
    public static void Multiply(
        int m, int n, int k, float* a, nint aRow, nint aDepth, float* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        int width = TLanes.Count;
        int tall = TLanes.HasManyRegisters ? m / 8 * 8 : 0;
        int tiled = m / 4 * 4;

        // A panel of two registers of B stays in L1 while all rows pass over it.
        int j = 0;
        for (; j + (2 * width) <= n; j += 2 * width)
        {
            for (int i = 0; i < tall; i += 8)
            {
                Tile8x2(k, a + (i * aRow), aRow, aDepth, b + j, bStride, c + (i * cStride) + j, cStride, accumulate);
            }

            for (int i = tall; i < tiled; i += 4)
            {
                Tile4x2(k, a + (i * aRow), aRow, aDepth, b + j, bStride, c + (i * cStride) + j, cStride, accumulate);
            }
        }

        for (; j < n; j += width)
        {
            int columns = Math.Min(width, n - j);
            for (int i = 0; i < tall; i += 8)
            {
                Tile8x1(k, a + (i * aRow), aRow, aDepth, b + j, bStride, c + (i * cStride) + j, cStride, accumulate, columns);
            }

            for (int i = tall; i < tiled; i += 4)
            {
                Tile4x1(k, a + (i * aRow), aRow, aDepth, b + j, bStride, c + (i * cStride) + j, cStride, accumulate, columns);
            }
        }

        for (int i = tiled; i < m; i++)
        {
            float* ai = a + (i * aRow);
            float* ci = c + (i * cStride);
            j = 0;
            for (; j + (4 * width) <= n; j += 4 * width)
            {
                Tile1x4(k, ai, aDepth, b + j, bStride, ci + j, accumulate);
            }

            for (; j < n; j += width)
            {
                Tile1x1(k, ai, aDepth, b + j, bStride, ci + j, accumulate, Math.Min(width, n - j));
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x2(int k, float* a, nint aRow, nint aDepth, float* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        TV c00 = default;
        TV c01 = default;
        TV c10 = default;
        TV c11 = default;
        TV c20 = default;
        TV c21 = default;
        TV c30 = default;
        TV c31 = default;
        TV c40 = default;
        TV c41 = default;
        TV c50 = default;
        TV c51 = default;
        TV c60 = default;
        TV c61 = default;
        TV c70 = default;
        TV c71 = default;
        if (accumulate)
        {
            c00 = TLanes.Load(c);
            c01 = TLanes.Load(c + TLanes.Count);
            c10 = TLanes.Load(c + cStride);
            c11 = TLanes.Load(c + cStride + TLanes.Count);
            c20 = TLanes.Load(c + (2 * cStride));
            c21 = TLanes.Load(c + (2 * cStride) + TLanes.Count);
            c30 = TLanes.Load(c + (3 * cStride));
            c31 = TLanes.Load(c + (3 * cStride) + TLanes.Count);
            c40 = TLanes.Load(c + (4 * cStride));
            c41 = TLanes.Load(c + (4 * cStride) + TLanes.Count);
            c50 = TLanes.Load(c + (5 * cStride));
            c51 = TLanes.Load(c + (5 * cStride) + TLanes.Count);
            c60 = TLanes.Load(c + (6 * cStride));
            c61 = TLanes.Load(c + (6 * cStride) + TLanes.Count);
            c70 = TLanes.Load(c + (7 * cStride));
            c71 = TLanes.Load(c + (7 * cStride) + TLanes.Count);
        }

        float* a4 = a + (4 * aRow);
        nint aRow3 = 3 * aRow;
        for (int i = 0; i < k; i++)
        {
            TV b0 = TLanes.Load(b);
            TV b1 = TLanes.Load(b + TLanes.Count);
            TV a0 = TLanes.Broadcast(*a);
            c00 = TLanes.MultiplyAdd(a0, b0, c00);
            c01 = TLanes.MultiplyAdd(a0, b1, c01);
            TV a1 = TLanes.Broadcast(*(a + aRow));
            c10 = TLanes.MultiplyAdd(a1, b0, c10);
            c11 = TLanes.MultiplyAdd(a1, b1, c11);
            TV a2 = TLanes.Broadcast(*(a + (2 * aRow)));
            c20 = TLanes.MultiplyAdd(a2, b0, c20);
            c21 = TLanes.MultiplyAdd(a2, b1, c21);
            TV a3 = TLanes.Broadcast(*(a + aRow3));
            c30 = TLanes.MultiplyAdd(a3, b0, c30);
            c31 = TLanes.MultiplyAdd(a3, b1, c31);
            TV x4 = TLanes.Broadcast(*a4);
            c40 = TLanes.MultiplyAdd(x4, b0, c40);
            c41 = TLanes.MultiplyAdd(x4, b1, c41);
            TV a5 = TLanes.Broadcast(*(a4 + aRow));
            c50 = TLanes.MultiplyAdd(a5, b0, c50);
            c51 = TLanes.MultiplyAdd(a5, b1, c51);
            TV a6 = TLanes.Broadcast(*(a4 + (2 * aRow)));
            c60 = TLanes.MultiplyAdd(a6, b0, c60);
            c61 = TLanes.MultiplyAdd(a6, b1, c61);
            TV a7 = TLanes.Broadcast(*(a4 + aRow3));
            c70 = TLanes.MultiplyAdd(a7, b0, c70);
            c71 = TLanes.MultiplyAdd(a7, b1, c71);
            a += aDepth;
            a4 += aDepth;
            b += bStride;
        }

        TLanes.Store(c, c00);
        TLanes.Store(c + TLanes.Count, c01);
        TLanes.Store(c + cStride, c10);
        TLanes.Store(c + cStride + TLanes.Count, c11);
        TLanes.Store(c + (2 * cStride), c20);
        TLanes.Store(c + (2 * cStride) + TLanes.Count, c21);
        TLanes.Store(c + (3 * cStride), c30);
        TLanes.Store(c + (3 * cStride) + TLanes.Count, c31);
        TLanes.Store(c + (4 * cStride), c40);
        TLanes.Store(c + (4 * cStride) + TLanes.Count, c41);
        TLanes.Store(c + (5 * cStride), c50);
        TLanes.Store(c + (5 * cStride) + TLanes.Count, c51);
        TLanes.Store(c + (6 * cStride), c60);
        TLanes.Store(c + (6 * cStride) + TLanes.Count, c61);
        TLanes.Store(c + (7 * cStride), c70);
        TLanes.Store(c + (7 * cStride) + TLanes.Count, c71);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x2(int k, float* a, nint aRow, nint aDepth, float* b, nint bStride, float* c, nint cStride, bool accumulate)
    {
        TV c00 = default;
        TV c01 = default;
        TV c10 = default;
        TV c11 = default;
        TV c20 = default;
        TV c21 = default;
        TV c30 = default;
        TV c31 = default;
        if (accumulate)
        {
            c00 = TLanes.Load(c);
            c01 = TLanes.Load(c + TLanes.Count);
            c10 = TLanes.Load(c + cStride);
            c11 = TLanes.Load(c + cStride + TLanes.Count);
            c20 = TLanes.Load(c + (2 * cStride));
            c21 = TLanes.Load(c + (2 * cStride) + TLanes.Count);
            c30 = TLanes.Load(c + (3 * cStride));
            c31 = TLanes.Load(c + (3 * cStride) + TLanes.Count);
        }

        nint aRow3 = 3 * aRow;
        for (int i = 0; i < k; i++)
        {
            TV b0 = TLanes.Load(b);
            TV b1 = TLanes.Load(b + TLanes.Count);
            TV a0 = TLanes.Broadcast(*a);
            c00 = TLanes.MultiplyAdd(a0, b0, c00);
            c01 = TLanes.MultiplyAdd(a0, b1, c01);
            TV a1 = TLanes.Broadcast(*(a + aRow));
            c10 = TLanes.MultiplyAdd(a1, b0, c10);
            c11 = TLanes.MultiplyAdd(a1, b1, c11);
            TV a2 = TLanes.Broadcast(*(a + (2 * aRow)));
            c20 = TLanes.MultiplyAdd(a2, b0, c20);
            c21 = TLanes.MultiplyAdd(a2, b1, c21);
            TV a3 = TLanes.Broadcast(*(a + aRow3));
            c30 = TLanes.MultiplyAdd(a3, b0, c30);
            c31 = TLanes.MultiplyAdd(a3, b1, c31);
            a += aDepth;
            b += bStride;
        }

        TLanes.Store(c, c00);
        TLanes.Store(c + TLanes.Count, c01);
        TLanes.Store(c + cStride, c10);
        TLanes.Store(c + cStride + TLanes.Count, c11);
        TLanes.Store(c + (2 * cStride), c20);
        TLanes.Store(c + (2 * cStride) + TLanes.Count, c21);
        TLanes.Store(c + (3 * cStride), c30);
        TLanes.Store(c + (3 * cStride) + TLanes.Count, c31);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x4(int k, float* a, nint aDepth, float* b, nint bStride, float* c, bool accumulate)
    {
        TV c00 = default;
        TV c01 = default;
        TV c02 = default;
        TV c03 = default;
        if (accumulate)
        {
            c00 = TLanes.Load(c);
            c01 = TLanes.Load(c + TLanes.Count);
            c02 = TLanes.Load(c + (2 * TLanes.Count));
            c03 = TLanes.Load(c + (3 * TLanes.Count));
        }

        for (int i = 0; i < k; i++)
        {
            TV b0 = TLanes.Load(b);
            TV b1 = TLanes.Load(b + TLanes.Count);
            TV b2 = TLanes.Load(b + (2 * TLanes.Count));
            TV b3 = TLanes.Load(b + (3 * TLanes.Count));
            TV a0 = TLanes.Broadcast(*a);
            c00 = TLanes.MultiplyAdd(a0, b0, c00);
            c01 = TLanes.MultiplyAdd(a0, b1, c01);
            c02 = TLanes.MultiplyAdd(a0, b2, c02);
            c03 = TLanes.MultiplyAdd(a0, b3, c03);
            a += aDepth;
            b += bStride;
        }

        TLanes.Store(c, c00);
        TLanes.Store(c + TLanes.Count, c01);
        TLanes.Store(c + (2 * TLanes.Count), c02);
        TLanes.Store(c + (3 * TLanes.Count), c03);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile8x1(int k, float* a, nint aRow, nint aDepth, float* b, nint bStride, float* c, nint cStride, bool accumulate, int columns)
    {
        TV c0 = default;
        TV c1 = default;
        TV c2 = default;
        TV c3 = default;
        TV c4 = default;
        TV c5 = default;
        TV c6 = default;
        TV c7 = default;
        if (accumulate)
        {
            c0 = TLanes.LoadPartial(c, columns);
            c1 = TLanes.LoadPartial(c + cStride, columns);
            c2 = TLanes.LoadPartial(c + (2 * cStride), columns);
            c3 = TLanes.LoadPartial(c + (3 * cStride), columns);
            c4 = TLanes.LoadPartial(c + (4 * cStride), columns);
            c5 = TLanes.LoadPartial(c + (5 * cStride), columns);
            c6 = TLanes.LoadPartial(c + (6 * cStride), columns);
            c7 = TLanes.LoadPartial(c + (7 * cStride), columns);
        }

        float* a4 = a + (4 * aRow);
        nint aRow3 = 3 * aRow;
        for (int i = 0; i < k; i++)
        {
            TV b0 = TLanes.Load(b);
            c0 = TLanes.MultiplyAdd(TLanes.Broadcast(*a), b0, c0);
            c1 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a + aRow)), b0, c1);
            c2 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a + (2 * aRow))), b0, c2);
            c3 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a + aRow3)), b0, c3);
            c4 = TLanes.MultiplyAdd(TLanes.Broadcast(*a4), b0, c4);
            c5 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a4 + aRow)), b0, c5);
            c6 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a4 + (2 * aRow))), b0, c6);
            c7 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a4 + aRow3)), b0, c7);
            a += aDepth;
            a4 += aDepth;
            b += bStride;
        }

        TLanes.StorePartial(c, columns, c0);
        TLanes.StorePartial(c + cStride, columns, c1);
        TLanes.StorePartial(c + (2 * cStride), columns, c2);
        TLanes.StorePartial(c + (3 * cStride), columns, c3);
        TLanes.StorePartial(c + (4 * cStride), columns, c4);
        TLanes.StorePartial(c + (5 * cStride), columns, c5);
        TLanes.StorePartial(c + (6 * cStride), columns, c6);
        TLanes.StorePartial(c + (7 * cStride), columns, c7);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile4x1(int k, float* a, nint aRow, nint aDepth, float* b, nint bStride, float* c, nint cStride, bool accumulate, int columns)
    {
        TV c0 = default;
        TV c1 = default;
        TV c2 = default;
        TV c3 = default;
        if (accumulate)
        {
            c0 = TLanes.LoadPartial(c, columns);
            c1 = TLanes.LoadPartial(c + cStride, columns);
            c2 = TLanes.LoadPartial(c + (2 * cStride), columns);
            c3 = TLanes.LoadPartial(c + (3 * cStride), columns);
        }

        nint aRow3 = 3 * aRow;
        for (int i = 0; i < k; i++)
        {
            TV b0 = TLanes.Load(b);
            c0 = TLanes.MultiplyAdd(TLanes.Broadcast(*a), b0, c0);
            c1 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a + aRow)), b0, c1);
            c2 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a + (2 * aRow))), b0, c2);
            c3 = TLanes.MultiplyAdd(TLanes.Broadcast(*(a + aRow3)), b0, c3);
            a += aDepth;
            b += bStride;
        }

        TLanes.StorePartial(c, columns, c0);
        TLanes.StorePartial(c + cStride, columns, c1);
        TLanes.StorePartial(c + (2 * cStride), columns, c2);
        TLanes.StorePartial(c + (3 * cStride), columns, c3);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile1x1(int k, float* a, nint aDepth, float* b, nint bStride, float* c, bool accumulate, int columns)
    {
        TV c0 = default;
        if (accumulate)
        {
            c0 = TLanes.LoadPartial(c, columns);
        }

        for (int i = 0; i < k; i++)
        {
            TV b0 = TLanes.Load(b);
            c0 = TLanes.MultiplyAdd(TLanes.Broadcast(*a), b0, c0);
            a += aDepth;
            b += bStride;
        }

        TLanes.StorePartial(c, columns, c0);
    }
}
