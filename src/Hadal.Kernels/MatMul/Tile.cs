using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Simd;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

/// <summary>The inner loop of every matmul: dot products of four weight rows with up to six tokens, sums held in registers.</summary>
/// <remarks>
/// Lanes run along K, so the weights are used as they lie and a (row, token) sum always adds in the same order: whatever the batch,
/// the thread or the place in the tile, its bits are the same. 4 rows · 6 tokens are 24 sums + 4 weights + 1 x of AVX-512's 32 registers;
/// each loaded vector is used 4 or 6 times. Written out by hand: the JIT keeps named locals in registers, arrays it does not.
/// </remarks>
internal static unsafe class Tile
{
    // How far ahead of each row's stream: measured on Zen 5, where 512 to 1024 were best and the hardware alone, with four interleaved rows, reached 3/4 of it.
    private const int PrefetchBytes = 1024;

    /// <summary>sums[t] = [row 0 … row 3] · token t.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<TV, TSimd, TLoader, TScaled, TTokens>(in TileOperands o, Vector128<float>* sums)
        where TV : struct
        where TSimd : struct, ISimd<TV>
        where TLoader : struct, IWeightLoader
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
                s0 = TSimd.Broadcast(o.S0[block]);
                s1 = TSimd.Broadcast(o.S1[block]);
                s2 = TSimd.Broadcast(o.S2[block]);
                s3 = TSimd.Broadcast(o.S3[block]);
            }

            if (typeof(TLoader) == typeof(WeightLoaders.F8E4M3) && TSimd.HasE4M3x4)
            {
                for (; k <= end - (4 * TSimd.Count); k += 4 * TSimd.Count)
                {
                    Sse.Prefetch0(r0 + k + PrefetchBytes);
                    TSimd.LoadE4M3x4(r0 + k, out TV w0a, out TV w0b, out TV w0c, out TV w0d);
                    if (TScaled.Value != 0)
                    {
                        w0a = TSimd.Multiply(w0a, s0);
                        w0b = TSimd.Multiply(w0b, s0);
                        w0c = TSimd.Multiply(w0c, s0);
                        w0d = TSimd.Multiply(w0d, s0);
                    }

                    a00 = TSimd.MultiplyAdd(w0a, TSimd.Load(x0 + k), a00);
                    a00 = TSimd.MultiplyAdd(w0b, TSimd.Load(x0 + k + TSimd.Count), a00);
                    a00 = TSimd.MultiplyAdd(w0c, TSimd.Load(x0 + k + (2 * TSimd.Count)), a00);
                    a00 = TSimd.MultiplyAdd(w0d, TSimd.Load(x0 + k + (3 * TSimd.Count)), a00);

                    if (TTokens.Value > 1)
                    {
                        a10 = TSimd.MultiplyAdd(w0a, TSimd.Load(x1 + k), a10);
                        a10 = TSimd.MultiplyAdd(w0b, TSimd.Load(x1 + k + TSimd.Count), a10);
                        a10 = TSimd.MultiplyAdd(w0c, TSimd.Load(x1 + k + (2 * TSimd.Count)), a10);
                        a10 = TSimd.MultiplyAdd(w0d, TSimd.Load(x1 + k + (3 * TSimd.Count)), a10);
                    }

                    if (TTokens.Value > 2)
                    {
                        a20 = TSimd.MultiplyAdd(w0a, TSimd.Load(x2 + k), a20);
                        a20 = TSimd.MultiplyAdd(w0b, TSimd.Load(x2 + k + TSimd.Count), a20);
                        a20 = TSimd.MultiplyAdd(w0c, TSimd.Load(x2 + k + (2 * TSimd.Count)), a20);
                        a20 = TSimd.MultiplyAdd(w0d, TSimd.Load(x2 + k + (3 * TSimd.Count)), a20);
                    }

                    if (TTokens.Value > 3)
                    {
                        a30 = TSimd.MultiplyAdd(w0a, TSimd.Load(x3 + k), a30);
                        a30 = TSimd.MultiplyAdd(w0b, TSimd.Load(x3 + k + TSimd.Count), a30);
                        a30 = TSimd.MultiplyAdd(w0c, TSimd.Load(x3 + k + (2 * TSimd.Count)), a30);
                        a30 = TSimd.MultiplyAdd(w0d, TSimd.Load(x3 + k + (3 * TSimd.Count)), a30);
                    }

                    Sse.Prefetch0(r1 + k + PrefetchBytes);
                    TSimd.LoadE4M3x4(r1 + k, out TV w1a, out TV w1b, out TV w1c, out TV w1d);
                    if (TScaled.Value != 0)
                    {
                        w1a = TSimd.Multiply(w1a, s1);
                        w1b = TSimd.Multiply(w1b, s1);
                        w1c = TSimd.Multiply(w1c, s1);
                        w1d = TSimd.Multiply(w1d, s1);
                    }

                    a01 = TSimd.MultiplyAdd(w1a, TSimd.Load(x0 + k), a01);
                    a01 = TSimd.MultiplyAdd(w1b, TSimd.Load(x0 + k + TSimd.Count), a01);
                    a01 = TSimd.MultiplyAdd(w1c, TSimd.Load(x0 + k + (2 * TSimd.Count)), a01);
                    a01 = TSimd.MultiplyAdd(w1d, TSimd.Load(x0 + k + (3 * TSimd.Count)), a01);

                    if (TTokens.Value > 1)
                    {
                        a11 = TSimd.MultiplyAdd(w1a, TSimd.Load(x1 + k), a11);
                        a11 = TSimd.MultiplyAdd(w1b, TSimd.Load(x1 + k + TSimd.Count), a11);
                        a11 = TSimd.MultiplyAdd(w1c, TSimd.Load(x1 + k + (2 * TSimd.Count)), a11);
                        a11 = TSimd.MultiplyAdd(w1d, TSimd.Load(x1 + k + (3 * TSimd.Count)), a11);
                    }

                    if (TTokens.Value > 2)
                    {
                        a21 = TSimd.MultiplyAdd(w1a, TSimd.Load(x2 + k), a21);
                        a21 = TSimd.MultiplyAdd(w1b, TSimd.Load(x2 + k + TSimd.Count), a21);
                        a21 = TSimd.MultiplyAdd(w1c, TSimd.Load(x2 + k + (2 * TSimd.Count)), a21);
                        a21 = TSimd.MultiplyAdd(w1d, TSimd.Load(x2 + k + (3 * TSimd.Count)), a21);
                    }

                    if (TTokens.Value > 3)
                    {
                        a31 = TSimd.MultiplyAdd(w1a, TSimd.Load(x3 + k), a31);
                        a31 = TSimd.MultiplyAdd(w1b, TSimd.Load(x3 + k + TSimd.Count), a31);
                        a31 = TSimd.MultiplyAdd(w1c, TSimd.Load(x3 + k + (2 * TSimd.Count)), a31);
                        a31 = TSimd.MultiplyAdd(w1d, TSimd.Load(x3 + k + (3 * TSimd.Count)), a31);
                    }

                    Sse.Prefetch0(r2 + k + PrefetchBytes);
                    TSimd.LoadE4M3x4(r2 + k, out TV w2a, out TV w2b, out TV w2c, out TV w2d);
                    if (TScaled.Value != 0)
                    {
                        w2a = TSimd.Multiply(w2a, s2);
                        w2b = TSimd.Multiply(w2b, s2);
                        w2c = TSimd.Multiply(w2c, s2);
                        w2d = TSimd.Multiply(w2d, s2);
                    }

                    a02 = TSimd.MultiplyAdd(w2a, TSimd.Load(x0 + k), a02);
                    a02 = TSimd.MultiplyAdd(w2b, TSimd.Load(x0 + k + TSimd.Count), a02);
                    a02 = TSimd.MultiplyAdd(w2c, TSimd.Load(x0 + k + (2 * TSimd.Count)), a02);
                    a02 = TSimd.MultiplyAdd(w2d, TSimd.Load(x0 + k + (3 * TSimd.Count)), a02);

                    if (TTokens.Value > 1)
                    {
                        a12 = TSimd.MultiplyAdd(w2a, TSimd.Load(x1 + k), a12);
                        a12 = TSimd.MultiplyAdd(w2b, TSimd.Load(x1 + k + TSimd.Count), a12);
                        a12 = TSimd.MultiplyAdd(w2c, TSimd.Load(x1 + k + (2 * TSimd.Count)), a12);
                        a12 = TSimd.MultiplyAdd(w2d, TSimd.Load(x1 + k + (3 * TSimd.Count)), a12);
                    }

                    if (TTokens.Value > 2)
                    {
                        a22 = TSimd.MultiplyAdd(w2a, TSimd.Load(x2 + k), a22);
                        a22 = TSimd.MultiplyAdd(w2b, TSimd.Load(x2 + k + TSimd.Count), a22);
                        a22 = TSimd.MultiplyAdd(w2c, TSimd.Load(x2 + k + (2 * TSimd.Count)), a22);
                        a22 = TSimd.MultiplyAdd(w2d, TSimd.Load(x2 + k + (3 * TSimd.Count)), a22);
                    }

                    if (TTokens.Value > 3)
                    {
                        a32 = TSimd.MultiplyAdd(w2a, TSimd.Load(x3 + k), a32);
                        a32 = TSimd.MultiplyAdd(w2b, TSimd.Load(x3 + k + TSimd.Count), a32);
                        a32 = TSimd.MultiplyAdd(w2c, TSimd.Load(x3 + k + (2 * TSimd.Count)), a32);
                        a32 = TSimd.MultiplyAdd(w2d, TSimd.Load(x3 + k + (3 * TSimd.Count)), a32);
                    }

                    Sse.Prefetch0(r3 + k + PrefetchBytes);
                    TSimd.LoadE4M3x4(r3 + k, out TV w3a, out TV w3b, out TV w3c, out TV w3d);
                    if (TScaled.Value != 0)
                    {
                        w3a = TSimd.Multiply(w3a, s3);
                        w3b = TSimd.Multiply(w3b, s3);
                        w3c = TSimd.Multiply(w3c, s3);
                        w3d = TSimd.Multiply(w3d, s3);
                    }

                    a03 = TSimd.MultiplyAdd(w3a, TSimd.Load(x0 + k), a03);
                    a03 = TSimd.MultiplyAdd(w3b, TSimd.Load(x0 + k + TSimd.Count), a03);
                    a03 = TSimd.MultiplyAdd(w3c, TSimd.Load(x0 + k + (2 * TSimd.Count)), a03);
                    a03 = TSimd.MultiplyAdd(w3d, TSimd.Load(x0 + k + (3 * TSimd.Count)), a03);

                    if (TTokens.Value > 1)
                    {
                        a13 = TSimd.MultiplyAdd(w3a, TSimd.Load(x1 + k), a13);
                        a13 = TSimd.MultiplyAdd(w3b, TSimd.Load(x1 + k + TSimd.Count), a13);
                        a13 = TSimd.MultiplyAdd(w3c, TSimd.Load(x1 + k + (2 * TSimd.Count)), a13);
                        a13 = TSimd.MultiplyAdd(w3d, TSimd.Load(x1 + k + (3 * TSimd.Count)), a13);
                    }

                    if (TTokens.Value > 2)
                    {
                        a23 = TSimd.MultiplyAdd(w3a, TSimd.Load(x2 + k), a23);
                        a23 = TSimd.MultiplyAdd(w3b, TSimd.Load(x2 + k + TSimd.Count), a23);
                        a23 = TSimd.MultiplyAdd(w3c, TSimd.Load(x2 + k + (2 * TSimd.Count)), a23);
                        a23 = TSimd.MultiplyAdd(w3d, TSimd.Load(x2 + k + (3 * TSimd.Count)), a23);
                    }

                    if (TTokens.Value > 3)
                    {
                        a33 = TSimd.MultiplyAdd(w3a, TSimd.Load(x3 + k), a33);
                        a33 = TSimd.MultiplyAdd(w3b, TSimd.Load(x3 + k + TSimd.Count), a33);
                        a33 = TSimd.MultiplyAdd(w3c, TSimd.Load(x3 + k + (2 * TSimd.Count)), a33);
                        a33 = TSimd.MultiplyAdd(w3d, TSimd.Load(x3 + k + (3 * TSimd.Count)), a33);
                    }
                }
            }

            for (; k < end; k += TSimd.Count)
            {
                if (TLoader.StreamedBytes != 0 && Sse.IsSupported)
                {
                    nint ahead = (k * TLoader.StreamedBytes) + PrefetchBytes;
                    Sse.Prefetch0(r0 + ahead);
                    Sse.Prefetch0(r1 + ahead);
                    Sse.Prefetch0(r2 + ahead);
                    Sse.Prefetch0(r3 + ahead);
                }

                TV w0 = TLoader.Load<TV, TSimd>(r0, k);
                TV w1 = TLoader.Load<TV, TSimd>(r1, k);
                TV w2 = TLoader.Load<TV, TSimd>(r2, k);
                TV w3 = TLoader.Load<TV, TSimd>(r3, k);
                if (TScaled.Value != 0)
                {
                    w0 = TSimd.Multiply(w0, s0);
                    w1 = TSimd.Multiply(w1, s1);
                    w2 = TSimd.Multiply(w2, s2);
                    w3 = TSimd.Multiply(w3, s3);
                }

                TV xFirst = TSimd.Load(x0 + k);
                a00 = TSimd.MultiplyAdd(w0, xFirst, a00);
                a01 = TSimd.MultiplyAdd(w1, xFirst, a01);
                a02 = TSimd.MultiplyAdd(w2, xFirst, a02);
                a03 = TSimd.MultiplyAdd(w3, xFirst, a03);

                if (TTokens.Value > 1)
                {
                    TV x = TSimd.Load(x1 + k);
                    a10 = TSimd.MultiplyAdd(w0, x, a10);
                    a11 = TSimd.MultiplyAdd(w1, x, a11);
                    a12 = TSimd.MultiplyAdd(w2, x, a12);
                    a13 = TSimd.MultiplyAdd(w3, x, a13);
                }

                if (TTokens.Value > 2)
                {
                    TV x = TSimd.Load(x2 + k);
                    a20 = TSimd.MultiplyAdd(w0, x, a20);
                    a21 = TSimd.MultiplyAdd(w1, x, a21);
                    a22 = TSimd.MultiplyAdd(w2, x, a22);
                    a23 = TSimd.MultiplyAdd(w3, x, a23);
                }

                if (TTokens.Value > 3)
                {
                    TV x = TSimd.Load(x3 + k);
                    a30 = TSimd.MultiplyAdd(w0, x, a30);
                    a31 = TSimd.MultiplyAdd(w1, x, a31);
                    a32 = TSimd.MultiplyAdd(w2, x, a32);
                    a33 = TSimd.MultiplyAdd(w3, x, a33);
                }

                if (TTokens.Value > 4)
                {
                    TV x = TSimd.Load(x4 + k);
                    a40 = TSimd.MultiplyAdd(w0, x, a40);
                    a41 = TSimd.MultiplyAdd(w1, x, a41);
                    a42 = TSimd.MultiplyAdd(w2, x, a42);
                    a43 = TSimd.MultiplyAdd(w3, x, a43);
                }

                if (TTokens.Value > 5)
                {
                    TV x = TSimd.Load(x5 + k);
                    a50 = TSimd.MultiplyAdd(w0, x, a50);
                    a51 = TSimd.MultiplyAdd(w1, x, a51);
                    a52 = TSimd.MultiplyAdd(w2, x, a52);
                    a53 = TSimd.MultiplyAdd(w3, x, a53);
                }
            }
        }

        if (o.TailX != null)
        {
            TV w0 = TSimd.Load(o.TailW);
            TV w1 = TSimd.Load(o.TailW + TSimd.Count);
            TV w2 = TSimd.Load(o.TailW + (2 * TSimd.Count));
            TV w3 = TSimd.Load(o.TailW + (3 * TSimd.Count));

            TV xFirst = TSimd.Load(o.TailX);
            a00 = TSimd.MultiplyAdd(w0, xFirst, a00);
            a01 = TSimd.MultiplyAdd(w1, xFirst, a01);
            a02 = TSimd.MultiplyAdd(w2, xFirst, a02);
            a03 = TSimd.MultiplyAdd(w3, xFirst, a03);

            if (TTokens.Value > 1)
            {
                TV x = TSimd.Load(o.TailX + TSimd.Count);
                a10 = TSimd.MultiplyAdd(w0, x, a10);
                a11 = TSimd.MultiplyAdd(w1, x, a11);
                a12 = TSimd.MultiplyAdd(w2, x, a12);
                a13 = TSimd.MultiplyAdd(w3, x, a13);
            }

            if (TTokens.Value > 2)
            {
                TV x = TSimd.Load(o.TailX + (2 * TSimd.Count));
                a20 = TSimd.MultiplyAdd(w0, x, a20);
                a21 = TSimd.MultiplyAdd(w1, x, a21);
                a22 = TSimd.MultiplyAdd(w2, x, a22);
                a23 = TSimd.MultiplyAdd(w3, x, a23);
            }

            if (TTokens.Value > 3)
            {
                TV x = TSimd.Load(o.TailX + (3 * TSimd.Count));
                a30 = TSimd.MultiplyAdd(w0, x, a30);
                a31 = TSimd.MultiplyAdd(w1, x, a31);
                a32 = TSimd.MultiplyAdd(w2, x, a32);
                a33 = TSimd.MultiplyAdd(w3, x, a33);
            }

            if (TTokens.Value > 4)
            {
                TV x = TSimd.Load(o.TailX + (4 * TSimd.Count));
                a40 = TSimd.MultiplyAdd(w0, x, a40);
                a41 = TSimd.MultiplyAdd(w1, x, a41);
                a42 = TSimd.MultiplyAdd(w2, x, a42);
                a43 = TSimd.MultiplyAdd(w3, x, a43);
            }

            if (TTokens.Value > 5)
            {
                TV x = TSimd.Load(o.TailX + (5 * TSimd.Count));
                a50 = TSimd.MultiplyAdd(w0, x, a50);
                a51 = TSimd.MultiplyAdd(w1, x, a51);
                a52 = TSimd.MultiplyAdd(w2, x, a52);
                a53 = TSimd.MultiplyAdd(w3, x, a53);
            }
        }

        sums[0] = TSimd.Sum4(a00, a01, a02, a03);

        if (TTokens.Value > 1)
        {
            sums[1] = TSimd.Sum4(a10, a11, a12, a13);
        }

        if (TTokens.Value > 2)
        {
            sums[2] = TSimd.Sum4(a20, a21, a22, a23);
        }

        if (TTokens.Value > 3)
        {
            sums[3] = TSimd.Sum4(a30, a31, a32, a33);
        }

        if (TTokens.Value > 4)
        {
            sums[4] = TSimd.Sum4(a40, a41, a42, a43);
        }

        if (TTokens.Value > 5)
        {
            sums[5] = TSimd.Sum4(a50, a51, a52, a53);
        }
    }
}
