using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

/// <summary>The inner loop of every matmul: dot products of four weight rows with up to six tokens, sums held in registers.</summary>
/// <remarks>
/// Lanes run along K, so the weights are used as they lie and a (row, token) sum always adds in the same order: whatever the batch,
/// the thread or the place in the tile, its bits are the same. 4 rows · 6 tokens are 24 sums + 4 weights + 1 x of AVX-512's 32 registers;
/// each loaded vector is used 4 or 6 times. Written out by hand: the JIT keeps named locals in registers, arrays it does not.
/// </remarks>
internal static unsafe class DotTile
{
    // How far ahead of each row's stream: measured on Zen 5, where 512 to 1024 were best and the hardware alone, with four interleaved rows, reached 3/4 of it.
    private const int PrefetchBytes = 1024;

    /// <summary>sums[t] = [row 0 … row 3] · token t.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TLanes, TV, TLoader, TScaled, TTokens>(in TileOperands o, Vector128<float>* sums)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        where TLoader : struct, IWeightLoader<TV>
        where TScaled : struct, IConstant
        where TTokens : struct, IConstant
    {
        TV a00 = default, a01 = default, a02 = default, a03 = default;
        TV a10 = default, a11 = default, a12 = default, a13 = default;
        TV a20 = default, a21 = default, a22 = default, a23 = default;
        TV a30 = default, a31 = default, a32 = default, a33 = default;
        TV a40 = default, a41 = default, a42 = default, a43 = default;
        TV a50 = default, a51 = default, a52 = default, a53 = default;
        byte* r0 = o.W0, r1 = o.W1, r2 = o.W2, r3 = o.W3;
        float* x0 = o.X0, x1 = o.X1, x2 = o.X2, x3 = o.X3, x4 = o.X4, x5 = o.X5;
        nint k = o.First;
        while (k < o.End)
        {
            nint end = o.End;
            TV s0 = default, s1 = default, s2 = default, s3 = default;
            if (TScaled.Value != 0)
            {
                nint block = k / o.ScaleBlockColumns;
                end = Math.Min(end, (block + 1) * o.ScaleBlockColumns);
                s0 = TLanes.Broadcast(o.S0[block]);
                s1 = TLanes.Broadcast(o.S1[block]);
                s2 = TLanes.Broadcast(o.S2[block]);
                s3 = TLanes.Broadcast(o.S3[block]);
            }

            if (TLoader.HasGroups)
            {
                for (; k <= end - (4 * TLanes.Count); k += 4 * TLanes.Count)
                {
                    if (TLoader.FactorColumns != 0 && (k & (TLoader.FactorColumns - 1)) == 0)
                    {
                        TLoader.LoadFactors(r0, k, o.Factors);
                        TLoader.LoadFactors(r1, k, o.Factors + 16);
                        TLoader.LoadFactors(r2, k, o.Factors + 32);
                        TLoader.LoadFactors(r3, k, o.Factors + 48);
                    }

                    nint ahead = ((k * TLoader.StreamedBytesOf256) >> 8) + PrefetchBytes;
                    Sse.Prefetch0(r0 + ahead);
                    TLoader.LoadGroup(r0, k, o.Factors, out TV w0a, out TV w0b, out TV w0c, out TV w0d);
                    if (TScaled.Value != 0)
                    {
                        w0a = TLanes.Multiply(w0a, s0);
                        w0b = TLanes.Multiply(w0b, s0);
                        w0c = TLanes.Multiply(w0c, s0);
                        w0d = TLanes.Multiply(w0d, s0);
                    }

                    a00 = TLanes.MultiplyAdd(w0a, TLanes.Load(x0 + k), a00);
                    a00 = TLanes.MultiplyAdd(w0b, TLanes.Load(x0 + k + TLanes.Count), a00);
                    a00 = TLanes.MultiplyAdd(w0c, TLanes.Load(x0 + k + (2 * TLanes.Count)), a00);
                    a00 = TLanes.MultiplyAdd(w0d, TLanes.Load(x0 + k + (3 * TLanes.Count)), a00);

                    if (TTokens.Value > 1)
                    {
                        a10 = TLanes.MultiplyAdd(w0a, TLanes.Load(x1 + k), a10);
                        a10 = TLanes.MultiplyAdd(w0b, TLanes.Load(x1 + k + TLanes.Count), a10);
                        a10 = TLanes.MultiplyAdd(w0c, TLanes.Load(x1 + k + (2 * TLanes.Count)), a10);
                        a10 = TLanes.MultiplyAdd(w0d, TLanes.Load(x1 + k + (3 * TLanes.Count)), a10);
                    }

                    if (TTokens.Value > 2)
                    {
                        a20 = TLanes.MultiplyAdd(w0a, TLanes.Load(x2 + k), a20);
                        a20 = TLanes.MultiplyAdd(w0b, TLanes.Load(x2 + k + TLanes.Count), a20);
                        a20 = TLanes.MultiplyAdd(w0c, TLanes.Load(x2 + k + (2 * TLanes.Count)), a20);
                        a20 = TLanes.MultiplyAdd(w0d, TLanes.Load(x2 + k + (3 * TLanes.Count)), a20);
                    }

                    if (TTokens.Value > 3)
                    {
                        a30 = TLanes.MultiplyAdd(w0a, TLanes.Load(x3 + k), a30);
                        a30 = TLanes.MultiplyAdd(w0b, TLanes.Load(x3 + k + TLanes.Count), a30);
                        a30 = TLanes.MultiplyAdd(w0c, TLanes.Load(x3 + k + (2 * TLanes.Count)), a30);
                        a30 = TLanes.MultiplyAdd(w0d, TLanes.Load(x3 + k + (3 * TLanes.Count)), a30);
                    }

                    Sse.Prefetch0(r1 + ahead);
                    TLoader.LoadGroup(r1, k, o.Factors + 16, out TV w1a, out TV w1b, out TV w1c, out TV w1d);
                    if (TScaled.Value != 0)
                    {
                        w1a = TLanes.Multiply(w1a, s1);
                        w1b = TLanes.Multiply(w1b, s1);
                        w1c = TLanes.Multiply(w1c, s1);
                        w1d = TLanes.Multiply(w1d, s1);
                    }

                    a01 = TLanes.MultiplyAdd(w1a, TLanes.Load(x0 + k), a01);
                    a01 = TLanes.MultiplyAdd(w1b, TLanes.Load(x0 + k + TLanes.Count), a01);
                    a01 = TLanes.MultiplyAdd(w1c, TLanes.Load(x0 + k + (2 * TLanes.Count)), a01);
                    a01 = TLanes.MultiplyAdd(w1d, TLanes.Load(x0 + k + (3 * TLanes.Count)), a01);

                    if (TTokens.Value > 1)
                    {
                        a11 = TLanes.MultiplyAdd(w1a, TLanes.Load(x1 + k), a11);
                        a11 = TLanes.MultiplyAdd(w1b, TLanes.Load(x1 + k + TLanes.Count), a11);
                        a11 = TLanes.MultiplyAdd(w1c, TLanes.Load(x1 + k + (2 * TLanes.Count)), a11);
                        a11 = TLanes.MultiplyAdd(w1d, TLanes.Load(x1 + k + (3 * TLanes.Count)), a11);
                    }

                    if (TTokens.Value > 2)
                    {
                        a21 = TLanes.MultiplyAdd(w1a, TLanes.Load(x2 + k), a21);
                        a21 = TLanes.MultiplyAdd(w1b, TLanes.Load(x2 + k + TLanes.Count), a21);
                        a21 = TLanes.MultiplyAdd(w1c, TLanes.Load(x2 + k + (2 * TLanes.Count)), a21);
                        a21 = TLanes.MultiplyAdd(w1d, TLanes.Load(x2 + k + (3 * TLanes.Count)), a21);
                    }

                    if (TTokens.Value > 3)
                    {
                        a31 = TLanes.MultiplyAdd(w1a, TLanes.Load(x3 + k), a31);
                        a31 = TLanes.MultiplyAdd(w1b, TLanes.Load(x3 + k + TLanes.Count), a31);
                        a31 = TLanes.MultiplyAdd(w1c, TLanes.Load(x3 + k + (2 * TLanes.Count)), a31);
                        a31 = TLanes.MultiplyAdd(w1d, TLanes.Load(x3 + k + (3 * TLanes.Count)), a31);
                    }

                    Sse.Prefetch0(r2 + ahead);
                    TLoader.LoadGroup(r2, k, o.Factors + 32, out TV w2a, out TV w2b, out TV w2c, out TV w2d);
                    if (TScaled.Value != 0)
                    {
                        w2a = TLanes.Multiply(w2a, s2);
                        w2b = TLanes.Multiply(w2b, s2);
                        w2c = TLanes.Multiply(w2c, s2);
                        w2d = TLanes.Multiply(w2d, s2);
                    }

                    a02 = TLanes.MultiplyAdd(w2a, TLanes.Load(x0 + k), a02);
                    a02 = TLanes.MultiplyAdd(w2b, TLanes.Load(x0 + k + TLanes.Count), a02);
                    a02 = TLanes.MultiplyAdd(w2c, TLanes.Load(x0 + k + (2 * TLanes.Count)), a02);
                    a02 = TLanes.MultiplyAdd(w2d, TLanes.Load(x0 + k + (3 * TLanes.Count)), a02);

                    if (TTokens.Value > 1)
                    {
                        a12 = TLanes.MultiplyAdd(w2a, TLanes.Load(x1 + k), a12);
                        a12 = TLanes.MultiplyAdd(w2b, TLanes.Load(x1 + k + TLanes.Count), a12);
                        a12 = TLanes.MultiplyAdd(w2c, TLanes.Load(x1 + k + (2 * TLanes.Count)), a12);
                        a12 = TLanes.MultiplyAdd(w2d, TLanes.Load(x1 + k + (3 * TLanes.Count)), a12);
                    }

                    if (TTokens.Value > 2)
                    {
                        a22 = TLanes.MultiplyAdd(w2a, TLanes.Load(x2 + k), a22);
                        a22 = TLanes.MultiplyAdd(w2b, TLanes.Load(x2 + k + TLanes.Count), a22);
                        a22 = TLanes.MultiplyAdd(w2c, TLanes.Load(x2 + k + (2 * TLanes.Count)), a22);
                        a22 = TLanes.MultiplyAdd(w2d, TLanes.Load(x2 + k + (3 * TLanes.Count)), a22);
                    }

                    if (TTokens.Value > 3)
                    {
                        a32 = TLanes.MultiplyAdd(w2a, TLanes.Load(x3 + k), a32);
                        a32 = TLanes.MultiplyAdd(w2b, TLanes.Load(x3 + k + TLanes.Count), a32);
                        a32 = TLanes.MultiplyAdd(w2c, TLanes.Load(x3 + k + (2 * TLanes.Count)), a32);
                        a32 = TLanes.MultiplyAdd(w2d, TLanes.Load(x3 + k + (3 * TLanes.Count)), a32);
                    }

                    Sse.Prefetch0(r3 + ahead);
                    TLoader.LoadGroup(r3, k, o.Factors + 48, out TV w3a, out TV w3b, out TV w3c, out TV w3d);
                    if (TScaled.Value != 0)
                    {
                        w3a = TLanes.Multiply(w3a, s3);
                        w3b = TLanes.Multiply(w3b, s3);
                        w3c = TLanes.Multiply(w3c, s3);
                        w3d = TLanes.Multiply(w3d, s3);
                    }

                    a03 = TLanes.MultiplyAdd(w3a, TLanes.Load(x0 + k), a03);
                    a03 = TLanes.MultiplyAdd(w3b, TLanes.Load(x0 + k + TLanes.Count), a03);
                    a03 = TLanes.MultiplyAdd(w3c, TLanes.Load(x0 + k + (2 * TLanes.Count)), a03);
                    a03 = TLanes.MultiplyAdd(w3d, TLanes.Load(x0 + k + (3 * TLanes.Count)), a03);

                    if (TTokens.Value > 1)
                    {
                        a13 = TLanes.MultiplyAdd(w3a, TLanes.Load(x1 + k), a13);
                        a13 = TLanes.MultiplyAdd(w3b, TLanes.Load(x1 + k + TLanes.Count), a13);
                        a13 = TLanes.MultiplyAdd(w3c, TLanes.Load(x1 + k + (2 * TLanes.Count)), a13);
                        a13 = TLanes.MultiplyAdd(w3d, TLanes.Load(x1 + k + (3 * TLanes.Count)), a13);
                    }

                    if (TTokens.Value > 2)
                    {
                        a23 = TLanes.MultiplyAdd(w3a, TLanes.Load(x2 + k), a23);
                        a23 = TLanes.MultiplyAdd(w3b, TLanes.Load(x2 + k + TLanes.Count), a23);
                        a23 = TLanes.MultiplyAdd(w3c, TLanes.Load(x2 + k + (2 * TLanes.Count)), a23);
                        a23 = TLanes.MultiplyAdd(w3d, TLanes.Load(x2 + k + (3 * TLanes.Count)), a23);
                    }

                    if (TTokens.Value > 3)
                    {
                        a33 = TLanes.MultiplyAdd(w3a, TLanes.Load(x3 + k), a33);
                        a33 = TLanes.MultiplyAdd(w3b, TLanes.Load(x3 + k + TLanes.Count), a33);
                        a33 = TLanes.MultiplyAdd(w3c, TLanes.Load(x3 + k + (2 * TLanes.Count)), a33);
                        a33 = TLanes.MultiplyAdd(w3d, TLanes.Load(x3 + k + (3 * TLanes.Count)), a33);
                    }
                }
            }

            for (; k < end; k += TLanes.Count)
            {
                if (TLoader.StreamedBytesOf256 != 0 && Sse.IsSupported)
                {
                    nint ahead = ((k * TLoader.StreamedBytesOf256) >> 8) + PrefetchBytes;
                    Sse.Prefetch0(r0 + ahead);
                    Sse.Prefetch0(r1 + ahead);
                    Sse.Prefetch0(r2 + ahead);
                    Sse.Prefetch0(r3 + ahead);
                }

                TV w0 = TLoader.Load(r0, k);
                TV w1 = TLoader.Load(r1, k);
                TV w2 = TLoader.Load(r2, k);
                TV w3 = TLoader.Load(r3, k);
                if (TScaled.Value != 0)
                {
                    w0 = TLanes.Multiply(w0, s0);
                    w1 = TLanes.Multiply(w1, s1);
                    w2 = TLanes.Multiply(w2, s2);
                    w3 = TLanes.Multiply(w3, s3);
                }

                TV xFirst = TLanes.Load(x0 + k);
                a00 = TLanes.MultiplyAdd(w0, xFirst, a00);
                a01 = TLanes.MultiplyAdd(w1, xFirst, a01);
                a02 = TLanes.MultiplyAdd(w2, xFirst, a02);
                a03 = TLanes.MultiplyAdd(w3, xFirst, a03);

                if (TTokens.Value > 1)
                {
                    TV x = TLanes.Load(x1 + k);
                    a10 = TLanes.MultiplyAdd(w0, x, a10);
                    a11 = TLanes.MultiplyAdd(w1, x, a11);
                    a12 = TLanes.MultiplyAdd(w2, x, a12);
                    a13 = TLanes.MultiplyAdd(w3, x, a13);
                }

                if (TTokens.Value > 2)
                {
                    TV x = TLanes.Load(x2 + k);
                    a20 = TLanes.MultiplyAdd(w0, x, a20);
                    a21 = TLanes.MultiplyAdd(w1, x, a21);
                    a22 = TLanes.MultiplyAdd(w2, x, a22);
                    a23 = TLanes.MultiplyAdd(w3, x, a23);
                }

                if (TTokens.Value > 3)
                {
                    TV x = TLanes.Load(x3 + k);
                    a30 = TLanes.MultiplyAdd(w0, x, a30);
                    a31 = TLanes.MultiplyAdd(w1, x, a31);
                    a32 = TLanes.MultiplyAdd(w2, x, a32);
                    a33 = TLanes.MultiplyAdd(w3, x, a33);
                }

                if (TTokens.Value > 4)
                {
                    TV x = TLanes.Load(x4 + k);
                    a40 = TLanes.MultiplyAdd(w0, x, a40);
                    a41 = TLanes.MultiplyAdd(w1, x, a41);
                    a42 = TLanes.MultiplyAdd(w2, x, a42);
                    a43 = TLanes.MultiplyAdd(w3, x, a43);
                }

                if (TTokens.Value > 5)
                {
                    TV x = TLanes.Load(x5 + k);
                    a50 = TLanes.MultiplyAdd(w0, x, a50);
                    a51 = TLanes.MultiplyAdd(w1, x, a51);
                    a52 = TLanes.MultiplyAdd(w2, x, a52);
                    a53 = TLanes.MultiplyAdd(w3, x, a53);
                }
            }
        }

        if (o.TailX != null)
        {
            TV w0 = TLanes.Load(o.TailW);
            TV w1 = TLanes.Load(o.TailW + TLanes.Count);
            TV w2 = TLanes.Load(o.TailW + (2 * TLanes.Count));
            TV w3 = TLanes.Load(o.TailW + (3 * TLanes.Count));

            TV xFirst = TLanes.Load(o.TailX);
            a00 = TLanes.MultiplyAdd(w0, xFirst, a00);
            a01 = TLanes.MultiplyAdd(w1, xFirst, a01);
            a02 = TLanes.MultiplyAdd(w2, xFirst, a02);
            a03 = TLanes.MultiplyAdd(w3, xFirst, a03);

            if (TTokens.Value > 1)
            {
                TV x = TLanes.Load(o.TailX + TLanes.Count);
                a10 = TLanes.MultiplyAdd(w0, x, a10);
                a11 = TLanes.MultiplyAdd(w1, x, a11);
                a12 = TLanes.MultiplyAdd(w2, x, a12);
                a13 = TLanes.MultiplyAdd(w3, x, a13);
            }

            if (TTokens.Value > 2)
            {
                TV x = TLanes.Load(o.TailX + (2 * TLanes.Count));
                a20 = TLanes.MultiplyAdd(w0, x, a20);
                a21 = TLanes.MultiplyAdd(w1, x, a21);
                a22 = TLanes.MultiplyAdd(w2, x, a22);
                a23 = TLanes.MultiplyAdd(w3, x, a23);
            }

            if (TTokens.Value > 3)
            {
                TV x = TLanes.Load(o.TailX + (3 * TLanes.Count));
                a30 = TLanes.MultiplyAdd(w0, x, a30);
                a31 = TLanes.MultiplyAdd(w1, x, a31);
                a32 = TLanes.MultiplyAdd(w2, x, a32);
                a33 = TLanes.MultiplyAdd(w3, x, a33);
            }

            if (TTokens.Value > 4)
            {
                TV x = TLanes.Load(o.TailX + (4 * TLanes.Count));
                a40 = TLanes.MultiplyAdd(w0, x, a40);
                a41 = TLanes.MultiplyAdd(w1, x, a41);
                a42 = TLanes.MultiplyAdd(w2, x, a42);
                a43 = TLanes.MultiplyAdd(w3, x, a43);
            }

            if (TTokens.Value > 5)
            {
                TV x = TLanes.Load(o.TailX + (5 * TLanes.Count));
                a50 = TLanes.MultiplyAdd(w0, x, a50);
                a51 = TLanes.MultiplyAdd(w1, x, a51);
                a52 = TLanes.MultiplyAdd(w2, x, a52);
                a53 = TLanes.MultiplyAdd(w3, x, a53);
            }
        }

        sums[0] = TLanes.Sum4(a00, a01, a02, a03);

        if (TTokens.Value > 1)
        {
            sums[1] = TLanes.Sum4(a10, a11, a12, a13);
        }

        if (TTokens.Value > 2)
        {
            sums[2] = TLanes.Sum4(a20, a21, a22, a23);
        }

        if (TTokens.Value > 3)
        {
            sums[3] = TLanes.Sum4(a30, a31, a32, a33);
        }

        if (TTokens.Value > 4)
        {
            sums[4] = TLanes.Sum4(a40, a41, a42, a43);
        }

        if (TTokens.Value > 5)
        {
            sums[5] = TLanes.Sum4(a50, a51, a52, a53);
        }
    }
}
