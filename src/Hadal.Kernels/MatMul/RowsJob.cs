using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Hadal.Kernels.Simd;
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
        if (Simd512.IsSupported)
        {
            Run<Vector512<float>, Simd512>(firstRow, numRows);
        }
        else if (Simd256.IsSupported)
        {
            Run<Vector256<float>, Simd256>(firstRow, numRows);
        }
        else
        {
            Run<Vector<float>, SimdPortable>(firstRow, numRows);
        }
    }

    internal readonly void Run<TV, TSimd>(int firstRow, int numRows)
        where TV : struct
        where TSimd : struct, ISimd<TV>
    {
        bool inRegisters = !W.DType.IsBlock && NumTokens <= Math.Min(TSimd.MaxTileTokens, 4);
        if (!inRegisters || (W.ScaleLayout == ScaleLayout.Block && W.ScaleBlockColumns % TSimd.Count != 0))
        {
            RunPanels<TV, TSimd>(firstRow, numRows);
            return;
        }

        switch (W.DType)
        {
            case DType.F32:
                RunInRegisters<TV, TSimd, WeightLoaders.F32>(firstRow, numRows);
                break;
            case DType.F16:
                RunInRegisters<TV, TSimd, WeightLoaders.F16>(firstRow, numRows);
                break;
            case DType.Bf16:
                RunInRegisters<TV, TSimd, WeightLoaders.Bf16>(firstRow, numRows);
                break;
            case DType.F8E4M3:
                RunInRegisters<TV, TSimd, WeightLoaders.F8E4M3>(firstRow, numRows);
                break;
            case DType.F8E5M2:
                RunInRegisters<TV, TSimd, WeightLoaders.F8E5M2>(firstRow, numRows);
                break;
            default:
                RunInRegisters<TV, TSimd, WeightLoaders.I8>(firstRow, numRows);
                break;
        }
    }

    private readonly void RunInRegisters<TV, TSimd, TLoader>(int firstRow, int numRows)
        where TV : struct
        where TSimd : struct, ISimd<TV>
        where TLoader : struct, IWeightLoader
    {
        if (W.ScaleLayout == ScaleLayout.Block)
        {
            RunInRegisters<TV, TSimd, TLoader, Constants.One>(firstRow, numRows);
        }
        else
        {
            RunInRegisters<TV, TSimd, TLoader, Constants.Zero>(firstRow, numRows);
        }
    }

    [SkipLocalsInit]
    private readonly void RunInRegisters<TV, TSimd, TLoader, TScaled>(int firstRow, int numRows)
        where TV : struct
        where TSimd : struct, ISimd<TV>
        where TLoader : struct, IWeightLoader
        where TScaled : struct, IConstant
    {
        // Four tokens and four rows of at most 16 columns; the tile's sums.
        float* tailX = stackalloc float[4 * 16];
        float* tailW = stackalloc float[4 * 16];
        Vector128<float>* sums = stackalloc Vector128<float>[4];
        WeightMatrix unscaled = WithoutRowScales(W);
        TileOperands o = default;
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
                int tail = columns % TSimd.Count;
                o.First = k;
                o.End = k + columns - tail;
                o.TailX = null;
                if (tail != 0)
                {
                    o.TailX = tailX;
                    o.TailW = tailW;
                    CopyTailX<TV, TSimd>(0, NumTokens, o.End, tail, tailX);
                    new Span<float>(tailW, 4 * TSimd.Count).Clear();
                    WeightDecoder.DecodeRowSimd<TV, TSimd>(unscaled, n, o.End, tail, tailW);
                    WeightDecoder.DecodeRowSimd<TV, TSimd>(unscaled, n1, o.End, tail, tailW + TSimd.Count);
                    WeightDecoder.DecodeRowSimd<TV, TSimd>(unscaled, n2, o.End, tail, tailW + (2 * TSimd.Count));
                    WeightDecoder.DecodeRowSimd<TV, TSimd>(unscaled, n3, o.End, tail, tailW + (3 * TSimd.Count));
                }

                RunTile<TV, TSimd, TLoader, TScaled>(o, NumTokens, sums);
                Store(n, lastRow - n + 1, 0, NumTokens, sums, isFirstBlock: k == 0);
            }
        }
    }

    [SkipLocalsInit]
    private readonly void RunPanels<TV, TSimd>(int firstRow, int numRows)
        where TV : struct
        where TSimd : struct, ISimd<TV>
    {
        float* panel = WorkerScratch.Rent(PanelRows * PanelStride);
        float* tailX = stackalloc float[6 * 16];
        float* tailW = stackalloc float[4 * 16];
        Vector128<float>* sums = stackalloc Vector128<float>[6];
        WeightMatrix unscaled = WithoutRowScales(W);
        TileOperands o = default;

        // Few tokens use a panel only briefly: four rows of it never leave the first-level cache.
        int panelRows = NumTokens <= 2 * TSimd.MaxTileTokens ? 4 : PanelRows;
        for (int panelFirst = firstRow; panelFirst < firstRow + numRows; panelFirst += panelRows)
        {
            int rows = Math.Min(panelRows, firstRow + numRows - panelFirst);
            for (int k = 0; k == 0 || k < W.Columns; k += BlockColumns)
            {
                int columns = Math.Min(BlockColumns, W.Columns - k);
                int tail = columns % TSimd.Count;
                for (int r = 0; r < rows; r++)
                {
                    if (panelRows == 4 && panelFirst + r + 4 < firstRow + numRows)
                    {
                        PrefetchRow(panelFirst + r + 4, k, columns);
                    }

                    WeightDecoder.DecodeRowSimd<TV, TSimd>(unscaled, panelFirst + r, k, columns, panel + (r * PanelStride));
                }

                // The panel's column 0 is the matrix's column k.
                o.First = k;
                o.End = k + columns - tail;
                for (int t = 0; t < NumTokens; t += TSimd.MaxTileTokens)
                {
                    int tokens = Math.Min(TSimd.MaxTileTokens, NumTokens - t);
                    SetTokens(ref o, t, tokens);
                    o.TailX = null;
                    if (tail != 0)
                    {
                        o.TailX = tailX;
                        o.TailW = tailW;
                        CopyTailX<TV, TSimd>(t, tokens, o.End, tail, tailX);
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
                            CopyTail<TV, TSimd>(row0 + o.End, tail, tailW);
                            CopyTail<TV, TSimd>(row1 + o.End, tail, tailW + TSimd.Count);
                            CopyTail<TV, TSimd>(row2 + o.End, tail, tailW + (2 * TSimd.Count));
                            CopyTail<TV, TSimd>(row3 + o.End, tail, tailW + (3 * TSimd.Count));
                        }

                        RunTile<TV, TSimd, WeightLoaders.Panel, Constants.Zero>(o, tokens, sums);
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

    private static void RunTile<TV, TSimd, TLoader, TScaled>(in TileOperands o, int tokens, Vector128<float>* sums)
        where TV : struct
        where TSimd : struct, ISimd<TV>
        where TLoader : struct, IWeightLoader
        where TScaled : struct, IConstant
    {
        switch (tokens)
        {
            case 1:
                Tile.Run<TV, TSimd, TLoader, TScaled, Constants.One>(o, sums);
                break;
            case 2:
                Tile.Run<TV, TSimd, TLoader, TScaled, Constants.Two>(o, sums);
                break;
            case 3:
                Tile.Run<TV, TSimd, TLoader, TScaled, Constants.Three>(o, sums);
                break;
            case 4:
                Tile.Run<TV, TSimd, TLoader, TScaled, Constants.Four>(o, sums);
                break;
            case 5:
                Tile.Run<TV, TSimd, TLoader, TScaled, Constants.Five>(o, sums);
                break;
            default:
                Tile.Run<TV, TSimd, TLoader, TScaled, Constants.Six>(o, sums);
                break;
        }
    }

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

    private readonly void CopyTailX<TV, TSimd>(int first, int count, int column, int tail, float* tailX)
        where TV : struct
        where TSimd : struct, ISimd<TV>
    {
        for (int t = 0; t < count; t++)
        {
            CopyTail<TV, TSimd>(XRow(first + t) + column, tail, tailX + (t * TSimd.Count));
        }
    }

    private static void CopyTail<TV, TSimd>(float* source, int tail, float* padded)
        where TV : struct
        where TSimd : struct, ISimd<TV>
    {
        for (int i = 0; i < TSimd.Count; i++)
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
