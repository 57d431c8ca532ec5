using Hadal.Jit;
using Hadal.Kernels.Weights;

namespace Hadal.Kernels.MatMul;

/// <summary>A whole matmul: its parts' rows in chunks that the workers take from one counter.</summary>
/// <remarks>A counter rather than equal shares: a worker that the system delayed, or a slower core, then holds up the barrier by a chunk at most.</remarks>
internal unsafe struct MatMulNtWork : IWork
{
    private readonly MatrixF32 _x;
    private readonly WeightMatrix* _parts;
    private readonly int _numParts;
    private readonly MatMulEpilogue _epilogue;
    private readonly MatrixF32 _y;
    private readonly int _chunkRows;
    private int _next;

    public MatMulNtWork(MatrixF32 x, WeightMatrix* parts, int numParts, in MatMulEpilogue epilogue, MatrixF32 y, int numWorkers)
    {
        _x = x;
        _parts = parts;
        _numParts = numParts;
        _epilogue = epilogue;
        _y = y;
        _chunkRows = ChunkRows(y.Columns, numWorkers);
        for (int p = 0; p < numParts; p++)
        {
            NumChunks += ChunksOf(parts[p].Rows);
        }
    }

    public int NumChunks { get; }

    /// <summary>Rows of a chunk: a panel, or fewer where there would not be some four chunks a worker; whole tiles always.</summary>
    public static int ChunkRows(int rows, int numWorkers)
    {
        int even = rows / (4 * numWorkers);
        return Math.Clamp(even / 4 * 4, 4, RowsJob.PanelRows);
    }

    public void Run(int worker, int numWorkers)
    {
        while (true)
        {
            int chunk = Interlocked.Increment(ref _next) - 1;
            if (chunk >= NumChunks)
            {
                return;
            }

            int column = 0;
            int part = 0;
            for (int n = ChunksOf(_parts[0].Rows); chunk >= n; n = ChunksOf(_parts[part].Rows))
            {
                chunk -= n;
                column += _parts[part++].Rows;
            }

            ref readonly WeightMatrix w = ref _parts[part];
            var job = new RowsJob
            {
                W = w,
                X = _x.Data,
                XStride = _x.Stride,
                Y = _y.Data + column,
                YStride = _y.Stride,
                NumTokens = _x.Rows,
                Bias = _epilogue.Bias != null ? _epilogue.Bias + column : null,
                Residual = _epilogue.Residual.Data != null ? _epilogue.Residual.Data + column : null,
                ResidualStride = _epilogue.Residual.Stride,
            };
            int first = chunk * _chunkRows;
            job.Run(first, Math.Min(_chunkRows, w.Rows - first));
        }
    }

    private readonly int ChunksOf(int rows) => (rows + _chunkRows - 1) / _chunkRows;
}
