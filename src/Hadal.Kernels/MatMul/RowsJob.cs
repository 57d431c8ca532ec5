using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>One weight matrix against a list of token rows; any range of its rows can be computed alone, by any worker.</summary>
/// <remarks>
/// Columns are taken in blocks of <see cref="BlockColumns"/>: a block's sums are added in registers, the blocks' sums one after the other onto y.
/// Few tokens: weights are decoded in registers as they stream by. Many tokens, or a block type: a panel of rows is decoded into the
/// worker's scratch once and used for all tokens. Both add in the same order, so a token's result does not depend on its batch.
/// </remarks>
internal unsafe struct RowsJob
{
    /// <summary>Six tokens of it (24 KB of float32) and four rows fit a 48 KB first-level cache together.</summary>
    public const int BlockColumns = 1024;

    /// <summary>Rows of a panel: 64 · 1024 floats stay in a 1 MB second-level cache.</summary>
    public const int PanelRows = 64;

    // A row a cache line longer than the block: rows 4096 bytes apart would fight for the same cache sets.
    private const int PanelStride = BlockColumns + 16;

    public WeightMatrix W;

    public float* X;

    public nint XStride;

    /// <summary>Which row of X the i-th token is; null for the i-th.</summary>
    public int* XRows;

    /// <summary>Column 0 of this matrix's outputs.</summary>
    public float* Y;

    public nint YStride;

    /// <summary>Which row of Y (and of Residual) the i-th token is; null for the i-th.</summary>
    public int* YRows;

    public int NumTokens;

    public float* Bias;

    public float* Residual;

    public nint ResidualStride;

    public readonly void Run(int firstRow, int numRows)
    {
        if (Lanes512.IsSupported)
        {
            if (W.DType.IsBlock && W.ScaleLayout == ScaleLayout.None && NumTokens <= 4)
            {
                RunBlocksInRegisters(firstRow, numRows);
                return;
            }

            Run<Lanes512, Vector512<float>>(firstRow, numRows);
        }
        else if (Lanes256.IsSupported)
        {
            Run<Lanes256, Vector256<float>>(firstRow, numRows);
        }
        else
        {
            Run<Lanes128, Vector128<float>>(firstRow, numRows);
        }
    }

    internal readonly void Run<TLanes, TV>(int firstRow, int numRows)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        bool inRegisters = !W.DType.IsBlock && NumTokens <= Math.Min(MaxTileTokens<TLanes, TV>(), 4);
        if (!inRegisters || (W.ScaleLayout == ScaleLayout.Block && W.ScaleBlockColumns % TLanes.Count != 0))
        {
            RunPanels<TLanes, TV>(firstRow, numRows);
            return;
        }

        switch (W.DType)
        {
            case DType.F32:
                RunInRegisters<TLanes, TV, WeightLoaders.F32<TLanes, TV>>(firstRow, numRows);
                break;
            case DType.F16:
                RunInRegisters<TLanes, TV, WeightLoaders.F16<TLanes, TV>>(firstRow, numRows);
                break;
            case DType.Bf16:
                RunInRegisters<TLanes, TV, WeightLoaders.Bf16<TLanes, TV>>(firstRow, numRows);
                break;
            case DType.F8E4M3:
                RunInRegisters<TLanes, TV, WeightLoaders.F8E4M3<TLanes, TV>>(firstRow, numRows);
                break;
            case DType.F8E5M2:
                RunInRegisters<TLanes, TV, WeightLoaders.F8E5M2<TLanes, TV>>(firstRow, numRows);
                break;
            default:
                RunInRegisters<TLanes, TV, WeightLoaders.I8<TLanes, TV>>(firstRow, numRows);
                break;
        }
    }

    // Only on AVX-512, whose permutations look sixteen codes up at once; elsewhere blocks go through panels.
    private readonly void RunBlocksInRegisters(int firstRow, int numRows)
    {
        switch (W.DType)
        {
            case DType.Q8_0:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q8_0, Constants.Zero>(firstRow, numRows);
                break;
            case DType.Q4_0:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q4_0, Constants.Zero>(firstRow, numRows);
                break;
            case DType.Q4_1:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q4_1, Constants.Zero>(firstRow, numRows);
                break;
            case DType.Q5_0:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q5_0, Constants.Zero>(firstRow, numRows);
                break;
            case DType.Q5_1:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q5_1, Constants.Zero>(firstRow, numRows);
                break;
            case DType.Q4_K:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q4_K, Constants.Zero>(firstRow, numRows);
                break;
            case DType.Q5_K:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q5_K, Constants.Zero>(firstRow, numRows);
                break;
            default:
                RunInRegisters<Lanes512, Vector512<float>, BlockLoaders.Q6_K, Constants.Zero>(firstRow, numRows);
                break;
        }
    }

    private readonly void RunInRegisters<TLanes, TV, TLoader>(int firstRow, int numRows)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        where TLoader : struct, IWeightLoader<TV>
    {
        if (W.ScaleLayout == ScaleLayout.Block)
        {
            RunInRegisters<TLanes, TV, TLoader, Constants.One>(firstRow, numRows);
        }
        else
        {
            RunInRegisters<TLanes, TV, TLoader, Constants.Zero>(firstRow, numRows);
        }
    }

    [SkipLocalsInit]
    private readonly void RunInRegisters<TLanes, TV, TLoader, TScaled>(int firstRow, int numRows)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        where TLoader : struct, IWeightLoader<TV>
        where TScaled : struct, IConstant
    {
        // Four tokens and four rows of at most 16 columns; the tile's sums.
        float* tailX = stackalloc float[4 * 16];
        float* tailW = stackalloc float[4 * 16];
        Vector128<float>* sums = stackalloc Vector128<float>[4];
        WeightMatrix unscaled = WithoutRowScales(W);
        float* factors = stackalloc float[4 * 16];
        TileOperands o = default;
        o.Factors = factors;
        SetTokens(ref o, 0, NumTokens);
        o.ScaleBlockColumns = W.ScaleBlockColumns;
        int lastRow = firstRow + numRows - 1;
        for (int n = firstRow; n <= lastRow; n += 4)
        {
            int n1 = Math.Min(n + 1, lastRow);
            int n2 = Math.Min(n + 2, lastRow);
            int n3 = Math.Min(n + 3, lastRow);
            o.W0 = W.Row(n);
            o.W1 = W.Row(n1);
            o.W2 = W.Row(n2);
            o.W3 = W.Row(n3);
            if (TScaled.Value != 0)
            {
                o.S0 = ScaleRow(n);
                o.S1 = ScaleRow(n1);
                o.S2 = ScaleRow(n2);
                o.S3 = ScaleRow(n3);
            }

            for (int k = 0; k == 0 || k < W.Columns; k += BlockColumns)
            {
                int columns = Math.Min(BlockColumns, W.Columns - k);
                int tail = columns % TLanes.Count;
                o.First = k;
                o.End = k + columns - tail;
                o.TailX = null;
                if (tail != 0)
                {
                    o.TailX = tailX;
                    o.TailW = tailW;
                    CopyTailX<TLanes, TV>(0, NumTokens, o.End, tail, tailX);
                    new Span<float>(tailW, 4 * TLanes.Count).Clear();
                    WeightDecoder.DecodeRowSimd<TLanes, TV>(unscaled, n, o.End, tail, tailW);
                    WeightDecoder.DecodeRowSimd<TLanes, TV>(unscaled, n1, o.End, tail, tailW + TLanes.Count);
                    WeightDecoder.DecodeRowSimd<TLanes, TV>(unscaled, n2, o.End, tail, tailW + (2 * TLanes.Count));
                    WeightDecoder.DecodeRowSimd<TLanes, TV>(unscaled, n3, o.End, tail, tailW + (3 * TLanes.Count));
                }

                RunTile<TLanes, TV, TLoader, TScaled>(o, NumTokens, sums);
                Store(n, lastRow - n + 1, 0, NumTokens, sums, isFirstBlock: k == 0);
            }
        }
    }

    [SkipLocalsInit]
    private readonly void RunPanels<TLanes, TV>(int firstRow, int numRows)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        float* panel = Scratch.Worker(PanelRows * PanelStride);
        float* tailX = stackalloc float[6 * 16];
        float* tailW = stackalloc float[4 * 16];
        Vector128<float>* sums = stackalloc Vector128<float>[6];
        WeightMatrix unscaled = WithoutRowScales(W);
        TileOperands o = default;

        // Few tokens use a panel only briefly: four rows of it never leave the first-level cache.
        int panelRows = NumTokens <= 2 * MaxTileTokens<TLanes, TV>() ? 4 : PanelRows;
        for (int panelFirst = firstRow; panelFirst < firstRow + numRows; panelFirst += panelRows)
        {
            int rows = Math.Min(panelRows, firstRow + numRows - panelFirst);
            for (int k = 0; k == 0 || k < W.Columns; k += BlockColumns)
            {
                int columns = Math.Min(BlockColumns, W.Columns - k);
                int tail = columns % TLanes.Count;
                for (int r = 0; r < rows; r++)
                {
                    if (panelRows == 4 && panelFirst + r + 4 < firstRow + numRows)
                    {
                        PrefetchRow(panelFirst + r + 4, k, columns);
                    }

                    WeightDecoder.DecodeRowSimd<TLanes, TV>(unscaled, panelFirst + r, k, columns, panel + (r * PanelStride));
                }

                // The panel's column 0 is the matrix's column k.
                o.First = k;
                o.End = k + columns - tail;
                for (int t = 0; t < NumTokens; t += MaxTileTokens<TLanes, TV>())
                {
                    int tokens = Math.Min(MaxTileTokens<TLanes, TV>(), NumTokens - t);
                    SetTokens(ref o, t, tokens);
                    o.TailX = null;
                    if (tail != 0)
                    {
                        o.TailX = tailX;
                        o.TailW = tailW;
                        CopyTailX<TLanes, TV>(t, tokens, o.End, tail, tailX);
                    }

                    for (int r = 0; r < rows; r += 4)
                    {
                        int last = rows - 1;
                        float* row0 = panel + (r * PanelStride) - k;
                        float* row1 = panel + (Math.Min(r + 1, last) * PanelStride) - k;
                        float* row2 = panel + (Math.Min(r + 2, last) * PanelStride) - k;
                        float* row3 = panel + (Math.Min(r + 3, last) * PanelStride) - k;
                        o.W0 = (byte*)row0;
                        o.W1 = (byte*)row1;
                        o.W2 = (byte*)row2;
                        o.W3 = (byte*)row3;
                        if (tail != 0)
                        {
                            CopyTail<TLanes, TV>(row0 + o.End, tail, tailW);
                            CopyTail<TLanes, TV>(row1 + o.End, tail, tailW + TLanes.Count);
                            CopyTail<TLanes, TV>(row2 + o.End, tail, tailW + (2 * TLanes.Count));
                            CopyTail<TLanes, TV>(row3 + o.End, tail, tailW + (3 * TLanes.Count));
                        }

                        RunTile<TLanes, TV, WeightLoaders.Panel<TLanes, TV>, Constants.Zero>(o, tokens, sums);
                        Store(panelFirst + r, rows - r, t, tokens, sums, isFirstBlock: k == 0);
                    }
                }
            }
        }
    }

    // While a small panel is decoded and multiplied no weights are read, so the next panel's are asked for before, into the second-level cache.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void PrefetchRow(int row, int column, int columns)
    {
        if (Sse.IsSupported)
        {
            int block = W.DType.BlockElements;
            byte* p = W.Row(row) + ((nint)(column / block) * W.DType.BlockBytes);
            byte* end = p + ((nint)(columns / block) * W.DType.BlockBytes);
            for (; p < end; p += 64)
            {
                Sse.Prefetch1(p);
            }
        }
    }

    private static void RunTile<TLanes, TV, TLoader, TScaled>(in TileOperands o, int tokens, Vector128<float>* sums)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        where TLoader : struct, IWeightLoader<TV>
        where TScaled : struct, IConstant
    {
        switch (tokens)
        {
            case 1:
                DotTile.Run<TLanes, TV, TLoader, TScaled, Constants.One>(o, sums);
                break;
            case 2:
                DotTile.Run<TLanes, TV, TLoader, TScaled, Constants.Two>(o, sums);
                break;
            case 3:
                DotTile.Run<TLanes, TV, TLoader, TScaled, Constants.Three>(o, sums);
                break;
            case 4:
                DotTile.Run<TLanes, TV, TLoader, TScaled, Constants.Four>(o, sums);
                break;
            case 5:
                DotTile.Run<TLanes, TV, TLoader, TScaled, Constants.Five>(o, sums);
                break;
            default:
                DotTile.Run<TLanes, TV, TLoader, TScaled, Constants.Six>(o, sums);
                break;
        }
    }

    // 24 sums, four weights and an x fill 32 registers.
    private static int MaxTileTokens<TLanes, TV>()
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
        => TLanes.HasManyRegisters ? 6 : 2;

    // Row scales multiply finished sums, so the weights are decoded without them.
    private static WeightMatrix WithoutRowScales(in WeightMatrix w) => w.ScaleLayout != ScaleLayout.PerRow ? w : new WeightMatrix
    {
        Data = w.Data,
        DType = w.DType,
        Rows = w.Rows,
        Columns = w.Columns,
        RowBytes = w.RowBytes,
    };

    private readonly float* ScaleRow(int n) => W.Scales + ((nint)(n / W.ScaleBlockRows) * W.ScaleStride);

    private readonly float* XRow(int token) => X + ((XRows != null ? XRows[token] : token) * XStride);

    private readonly void SetTokens(ref TileOperands o, int first, int count)
    {
        o.X0 = XRow(first);
        o.X1 = count > 1 ? XRow(first + 1) : null;
        o.X2 = count > 2 ? XRow(first + 2) : null;
        o.X3 = count > 3 ? XRow(first + 3) : null;
        o.X4 = count > 4 ? XRow(first + 4) : null;
        o.X5 = count > 5 ? XRow(first + 5) : null;
    }

    private readonly void CopyTailX<TLanes, TV>(int first, int count, int column, int tail, float* tailX)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        for (int t = 0; t < count; t++)
        {
            CopyTail<TLanes, TV>(XRow(first + t) + column, tail, tailX + (t * TLanes.Count));
        }
    }

    private static void CopyTail<TLanes, TV>(float* source, int tail, float* padded)
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        for (int i = 0; i < TLanes.Count; i++)
        {
            padded[i] = i < tail ? source[i] : 0;
        }
    }

    // The first block of columns brings bias and residual with it; later ones add to what is there. (The residual may be y itself.)
    private readonly void Store(int n, int rowsLeft, int firstToken, int tokens, Vector128<float>* sums, bool isFirstBlock)
    {
        if (rowsLeft < 4)
        {
            StoreRagged(n, rowsLeft, firstToken, tokens, sums, isFirstBlock);
            return;
        }

        for (int t = 0; t < tokens; t++)
        {
            nint row = YRows != null ? YRows[firstToken + t] : firstToken + t;
            float* y = Y + (row * YStride) + n;
            Vector128<float> sum = sums[t];
            if (W.ScaleLayout == ScaleLayout.PerRow)
            {
                sum *= Vector128.Load(W.Scales + n);
            }

            if (!isFirstBlock)
            {
                sum += Vector128.Load(y);
            }
            else
            {
                if (Bias != null)
                {
                    sum += Vector128.Load(Bias + n);
                }

                if (Residual != null)
                {
                    sum += Vector128.Load(Residual + (row * ResidualStride) + n);
                }
            }

            sum.Store(y);
        }
    }

    private readonly void StoreRagged(int n, int rows, int firstToken, int tokens, Vector128<float>* sums, bool isFirstBlock)
    {
        for (int t = 0; t < tokens; t++)
        {
            nint row = YRows != null ? YRows[firstToken + t] : firstToken + t;
            float* y = Y + (row * YStride) + n;
            for (int r = 0; r < rows; r++)
            {
                float sum = sums[t][r];
                if (W.ScaleLayout == ScaleLayout.PerRow)
                {
                    sum *= W.Scales[n + r];
                }

                if (!isFirstBlock)
                {
                    sum += y[r];
                }
                else
                {
                    sum += Bias != null ? Bias[n + r] : 0;
                    sum += Residual != null ? Residual[(row * ResidualStride) + n + r] : 0;
                }

                y[r] = sum;
            }
        }
    }
}
