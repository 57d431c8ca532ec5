using System.Runtime.CompilerServices;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Attention;

/// <summary>
/// The inner part of flash attention for M query rows: takes keys and values block by block and keeps, per row, the running maximum,
/// the sum of exponentials and the weighted sum of values.
/// </summary>
/// <remarks>
/// Two layouts. From half a register of rows on, scores lie [key, row]: lanes are rows, the softmax is vertical and the query is packed [dim, row].
/// With fewer (decode of one query head group) they lie [row, key]: lanes are dims, then keys.
/// Scores are in units of log2: the query is packed times scale · log2(e).
/// A row that sees no key yet has maximum -∞; every difference is taken to 0 instead then, so that no ∞ - ∞ arises.
/// Sources: arXiv:1805.02867 (online softmax), 2205.14135 (tiling).
/// </remarks>
internal unsafe struct OnlineSoftmax<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    /// <summary>Keys of one block at the most.</summary>
    public const int BlockKeys = 64;

    private readonly int _rows;
    private readonly int _paddedRows;
    private readonly int _keyDim;
    private readonly int _valueStride;
    private readonly bool _rowsAcrossLanes;
    private readonly nint _queryStride;
    private readonly float* _query;
    private readonly float* _limits;
    private readonly float* _alphas;
    private readonly float* _betas;
    private readonly float* _scores;
    private float* _state;

    /// <param name="rows">M.</param>
    /// <param name="keyDim">Columns of queries and keys.</param>
    /// <param name="valueDim">Columns of values.</param>
    /// <param name="free">Scratch of <see cref="Floats"/> floats; moved past what was taken.</param>
    public OnlineSoftmax(int rows, int keyDim, int valueDim, ref float* free)
    {
        _rows = rows;
        _paddedRows = Tile.Pad(rows);
        _keyDim = keyDim;
        _valueStride = Tile.Pad(valueDim);
        _rowsAcrossLanes = rows > TLanes.Count / 2;
        _queryStride = _rowsAcrossLanes ? Tile.Stride(rows) : Tile.Stride(keyDim);
        _query = Tile.Take(ref free, _queryStride * (_rowsAcrossLanes ? keyDim : rows));
        _limits = Tile.Take(ref free, _paddedRows);
        _alphas = Tile.Take(ref free, _paddedRows);
        _betas = Tile.Take(ref free, _paddedRows);
        _scores = Tile.Take(ref free, _paddedRows * BlockKeys);
    }

    public static nint Floats(int rows, int keyDim)
        => (3 * Tile.Pad(rows)) + (Tile.Pad(rows) * BlockKeys)
            + Math.Max((nint)Tile.Stride(rows) * keyDim, (nint)Tile.Stride(keyDim) * rows) + Tile.Lanes;

    /// <summary>Floats of one state: maximum and sum of each row, then the rows' weighted values.</summary>
    public static nint StateFloats(int rows, int valueDim) => (2 * Tile.Pad(rows)) + ((nint)rows * Tile.Pad(valueDim));

    /// <summary>Row i's query, times <paramref name="scale"/>; it sees the positions below <paramref name="limit"/>.</summary>
    public readonly void SetRow(int row, float* query, float scale, int limit)
    {
        // Exact: contexts are far below 2^24.
        _limits[row] = limit;
        if (_rowsAcrossLanes)
        {
            float* to = _query + row;
            for (int d = 0; d < _keyDim; d++)
            {
                to[d * _queryStride] = query[d] * scale;
            }
        }
        else
        {
            float* to = _query + (row * _queryStride);
            for (int d = 0; d < _keyDim; d++)
            {
                to[d] = query[d] * scale;
            }

            new Span<float>(to + _keyDim, Tile.Pad(_keyDim) - _keyDim).Clear();
        }
    }

    /// <summary>Clears the lanes behind the last row; call once all rows are set.</summary>
    public readonly void EndRows()
    {
        for (int row = _rows; row < _paddedRows; row++)
        {
            _limits[row] = 0;
            for (int d = 0; _rowsAcrossLanes && d < _keyDim; d++)
            {
                _query[row + (d * _queryStride)] = 0;
            }
        }
    }

    /// <summary>Starts an empty sum in <paramref name="state"/>; what follows goes into it.</summary>
    public void Begin(float* state)
    {
        _state = state;
        new Span<float>(state, _paddedRows).Fill(float.NegativeInfinity);
        new Span<float>(state + _paddedRows, _paddedRows + (_rows * _valueStride)).Clear();
    }

    /// <summary>Goes on with a sum begun earlier.</summary>
    public void Resume(float* state) => _state = state;

    /// <summary>Takes in <paramref name="count"/> keys and values, the first at position <paramref name="first"/>.</summary>
    /// <param name="masked">Some row does not see all of them.</param>
    public readonly void Attend(float* keys, nint keyStride, float* values, nint valueStride, int first, int count, bool masked)
    {
        nint scoreRow;
        nint scoreKey;
        if (_rowsAcrossLanes)
        {
            scoreRow = 1;
            scoreKey = _paddedRows;
            OuterProduct<TLanes, TV>.Multiply(count, _paddedRows, _keyDim, keys, keyStride, 1, _query, _queryStride, _scores, scoreKey, accumulate: false);
            ExponentiateAcross(first, count, masked);
        }
        else
        {
            scoreRow = BlockKeys;
            scoreKey = 1;
            RowDots<TLanes, TV>.Multiply(_rows, count, Tile.Pad(_keyDim), _query, _queryStride, keys, keyStride, _scores, scoreRow);
            ExponentiateAlong(first, count);
        }

        float* sums = _state + (2 * _paddedRows);
        for (int row = 0; row < _rows; row++)
        {
            if (_alphas[row] != 1)
            {
                ScaleRow(sums + (row * _valueStride), _alphas[row]);
            }
        }

        OuterProduct<TLanes, TV>.Multiply(_rows, _valueStride, count, _scores, scoreRow, scoreKey, values, valueStride, sums, _valueStride, accumulate: true);
    }

    /// <summary>Adds the sums of another state to those of <paramref name="into"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Merge(float* from, float* into)
    {
        for (int j = 0; j < _paddedRows; j += TLanes.Count)
        {
            TV a = TLanes.Load(into + j);
            TV b = TLanes.Load(from + j);
            TV max = TLanes.Max(a, b);
            TV safe = Finite(max);
            TV keep = VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Subtract(a, safe));
            TV add = VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Subtract(b, safe));
            TV sum = TLanes.Multiply(TLanes.Load(into + _paddedRows + j), keep);
            TLanes.Store(into + _paddedRows + j, TLanes.MultiplyAdd(TLanes.Load(from + _paddedRows + j), add, sum));
            TLanes.Store(into + j, max);
            TLanes.Store(_alphas + j, keep);
            TLanes.Store(_betas + j, add);
        }

        for (int row = 0; row < _rows; row++)
        {
            TV keep = TLanes.Broadcast(_alphas[row]);
            TV add = TLanes.Broadcast(_betas[row]);
            float* x = from + (2 * _paddedRows) + (row * _valueStride);
            float* y = into + (2 * _paddedRows) + (row * _valueStride);
            for (int d = 0; d < _valueStride; d += TLanes.Count)
            {
                TLanes.Store(y + d, TLanes.MultiplyAdd(TLanes.Load(x + d), add, TLanes.Multiply(TLanes.Load(y + d), keep)));
            }
        }
    }

    /// <summary>o = weighted values / sum of exponentials of one row of a state.</summary>
    public readonly void Finish(float* state, int row, float* o, int valueDim)
    {
        float* sums = state + (2 * _paddedRows) + (row * _valueStride);
        float total = state[_paddedRows + row];
        TV divisor = TLanes.Broadcast(total);
        int d = 0;
        for (; d + TLanes.Count <= valueDim; d += TLanes.Count)
        {
            TLanes.Store(o + d, TLanes.Divide(TLanes.Load(sums + d), divisor));
        }

        for (; d < valueDim; d++)
        {
            o[d] = sums[d] / total;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TV Finite(TV max) => TLanes.SelectLess(max, TLanes.Broadcast(float.MinValue), TLanes.Broadcast(0f), max);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void ExponentiateAcross(int first, int count, bool masked)
    {
        for (int j = 0; j < _paddedRows; j += TLanes.Count)
        {
            float* scores = _scores + j;
            if (masked)
            {
                TV limit = TLanes.Load(_limits + j);
                for (int n = 0; n < count; n++)
                {
                    float* at = scores + (n * _paddedRows);
                    TLanes.Store(at, TLanes.SelectLess(TLanes.Broadcast(first + n), limit, TLanes.Load(at), TLanes.Broadcast(float.NegativeInfinity)));
                }
            }

            TV before = TLanes.Load(_state + j);
            TV max = before;
            for (int n = 0; n < count; n++)
            {
                max = TLanes.Max(max, TLanes.Load(scores + (n * _paddedRows)));
            }

            TV safe = Finite(max);
            TV total = default;
            for (int n = 0; n < count; n++)
            {
                float* at = scores + (n * _paddedRows);
                TV p = VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Subtract(TLanes.Load(at), safe));
                TLanes.Store(at, p);
                total = TLanes.Add(total, p);
            }

            TV alpha = VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Subtract(before, safe));
            TLanes.Store(_alphas + j, alpha);
            TLanes.Store(_state + j, max);
            TLanes.Store(_state + _paddedRows + j, TLanes.MultiplyAdd(TLanes.Load(_state + _paddedRows + j), alpha, total));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private readonly void ExponentiateAlong(int first, int count)
    {
        int padded = Tile.Pad(count);
        for (int row = 0; row < _rows; row++)
        {
            float* scores = _scores + (row * BlockKeys);
            int visible = Math.Clamp((int)_limits[row] - first, 0, count);
            new Span<float>(scores + visible, padded - visible).Fill(float.NegativeInfinity);
            TV maxima = TLanes.Broadcast(float.NegativeInfinity);
            for (int n = 0; n < padded; n += TLanes.Count)
            {
                maxima = TLanes.Max(maxima, TLanes.Load(scores + n));
            }

            float before = _state[row];
            float blockMax = TLanes.MaxAcross(maxima);
            float max = before > blockMax ? before : blockMax;
            TV safe = Finite(TLanes.Broadcast(max));
            TV total = default;
            for (int n = 0; n < padded; n += TLanes.Count)
            {
                TV p = VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Subtract(TLanes.Load(scores + n), safe));
                TLanes.Store(scores + n, p);
                total = TLanes.Add(total, p);
            }

            TV alpha = VectorMath<TLanes, TV>.Exp2NonPositive(TLanes.Subtract(TLanes.Broadcast(before), safe));
            TLanes.StorePartial(_alphas + row, 1, alpha);
            _state[row] = max;
            _state[_paddedRows + row] = (_state[_paddedRows + row] * _alphas[row]) + TLanes.Sum(total);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void ScaleRow(float* sums, float alpha)
    {
        TV factor = TLanes.Broadcast(alpha);
        for (int d = 0; d < _valueStride; d += TLanes.Count)
        {
            TLanes.Store(sums + d, TLanes.Multiply(TLanes.Load(sums + d), factor));
        }
    }
}
