using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>
/// Activations as packed kernels read them: tokens in tiles of as many as a kernel takes, four bytes of each in turn, rounded to bf16 or to int8 with a
/// scale per run. A tile lies within one segment: all tokens, or for routed experts those of one expert. Kept from step to step; grows when needed.
/// </summary>
public sealed unsafe class ActivationTiles : IDisposable
{
    // About two microseconds of one core.
    private const int MinParallelValues = 8192;

    private NativeBuffer _data = new(0);
    private NativeBuffer _scales = new(0);
    private NativeBuffer _corrections = new(0);
    private NativeBuffer _groupSums = new(0);
    private int[] _tileStart = new int[16];
    private int[] _segmentTile = new int[2];

    public ActivationTiles(PackedKind kind) => Format = PackedFormat.Of(kind);

    public PackedFormat Format { get; }

    public int NumTokens { get; private set; }

    public int Columns { get; private set; }

    public int NumTiles { get; private set; }

    /// <summary>First row of a tile.</summary>
    internal int TileStart(int tile) => _tileStart[tile];

    internal int TileOf(int row)
    {
        int low = 0;
        int high = NumTiles - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            (low, high) = _tileStart[middle] <= row ? (middle, high) : (low, middle - 1);
        }

        return low;
    }

    internal int TokensOf(int tile) => _tileStart[tile + 1] - _tileStart[tile];

    /// <summary>First tile of a segment; that of one past the last is <see cref="NumTiles"/>.</summary>
    internal int SegmentTile(int segment) => _segmentTile[segment];

    internal byte* Tile(int tile) => _data.Pointer + ((nint)_tileStart[tile] * PackedFormat.Padded(Columns) * Format.ActivationBytes);

    internal float* Scales(int tile) => _scales.As<float>() + ((nint)_tileStart[tile] * Format.Runs(Columns));

    internal int* Corrections(int tile) => _corrections.As<int>() + GroupOffset(tile);

    internal float* GroupSums(int tile) => _groupSums.As<float>() + GroupOffset(tile);

    /// <summary>Rounds and arranges x: [T, K], as one segment.</summary>
    public void Prepare(WorkerPool pool, MatrixF32 x)
    {
        int* ends = stackalloc int[1] { x.Rows };
        Prepare(pool, x, null, ends, 1);
    }

    /// <summary>Rounds and arranges rows of x: row i of the tiles is x[rows[i]] (x[i] where rows is null); segment s ends before row segmentEnds[s].</summary>
    public void Prepare(WorkerPool pool, MatrixF32 x, int* rows, int* segmentEnds, int numSegments)
    {
        Layout(segmentEnds, numSegments, x.Columns);
        var work = new TileWork(this, x, rows);
        // Little is done sooner than other workers hear of it.
        pool.Run(ref work, (long)NumTokens * x.Columns < MinParallelValues ? 1 : int.MaxValue);
    }

    public void Dispose()
    {
        _data.Dispose();
        _scales.Dispose();
        _corrections.Dispose();
        _groupSums.Dispose();
    }

    private void Layout(int* segmentEnds, int numSegments, int columns)
    {
        NumTokens = segmentEnds[numSegments - 1];
        Columns = columns;
        int most = (NumTokens / Format.MaxTokens) + numSegments + 1;
        if (_tileStart.Length < most + 1)
        {
            _tileStart = new int[most * 2];
        }

        if (_segmentTile.Length < numSegments + 1)
        {
            _segmentTile = new int[(numSegments + 1) * 2];
        }

        NumTiles = 0;
        int start = 0;
        for (int s = 0; s < numSegments; s++)
        {
            _segmentTile[s] = NumTiles;
            for (; start < segmentEnds[s]; start = Math.Min(segmentEnds[s], start + Format.MaxTokens))
            {
                _tileStart[NumTiles++] = start;
            }
        }

        _segmentTile[numSegments] = NumTiles;
        _tileStart[NumTiles] = NumTokens;
        NativeBuffer.Grow(ref _data, (nuint)NumTokens * (nuint)(PackedFormat.Padded(columns) * Format.ActivationBytes));
        if (Format.IsInteger)
        {
            nuint groups = (nuint)NumTokens * (nuint)Format.Groups(columns) * sizeof(float);
            NativeBuffer.Grow(ref _scales, (nuint)NumTokens * (nuint)Format.Runs(columns) * sizeof(float));
            NativeBuffer.Grow(ref _corrections, groups);
            NativeBuffer.Grow(ref _groupSums, groups);
        }
    }

    private nint GroupOffset(int tile) => (nint)_tileStart[tile] * Format.Groups(Columns);
}
