using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>y[t] = residual[t] + Σ_k weights[t, k] · down_e(silu(gate_e·x[t]) · (up_e·x[t])), e = ids[t, k], over packed weights.</summary>
/// <remarks>
/// Tokens are sorted by expert, so that each expert's weights are read once a step; an expert without tokens is not touched. The sum over k is in the
/// order of k. Holds its scratch, which grows to the largest step; one caller at a time.
/// </remarks>
public sealed unsafe class PackedExperts : IDisposable
{
    private readonly PackedKernels _kernels;
    private readonly Dictionary<PackedKind, ActivationTiles> _inputTiles = [];
    private readonly Dictionary<PackedKind, ActivationTiles> _innerTiles = [];
    private NativeBuffer _rows = new(0);
    private NativeBuffer _places = new(0);
    private NativeBuffer _inner = new(0);
    private NativeBuffer _outputs = new(0);
    private static readonly int[] _onlyExpert = [0];

    private int[] _segmentEnds = [];
    private int[] _segmentExpert = [];
    private int[] _counts = [];

    public PackedExperts(PackedKernels kernels) => _kernels = kernels;

    /// <param name="pool">Workers.</param>
    /// <param name="x">[T, D].</param>
    /// <param name="ids">[T, TopK], each below the number of experts.</param>
    /// <param name="weights">[T, TopK].</param>
    /// <param name="experts">The layer's matrices.</param>
    /// <param name="residual">[T, D] or without data; may be y.</param>
    /// <param name="y">[T, D].</param>
    public void Forward(WorkerPool pool, MatrixF32 x, int* ids, MatrixF32 weights, PackedExpertWeights experts, MatrixF32 residual, MatrixF32 y)
    {
        if (x.Rows == 0)
        {
            return;
        }

        int topK = weights.Columns;
        int assignments = x.Rows * topK;
        int inner = experts.Gate[0].Rows;
        int segments = Sort(ids, assignments, topK, experts.NumExperts);
        NativeBuffer.Grow(ref _inner, (nuint)assignments * (nuint)inner * sizeof(float));
        NativeBuffer.Grow(ref _outputs, (nuint)assignments * (nuint)y.Columns * sizeof(float));
        ActivationTiles inputs = Tiles(_inputTiles, experts.Gate[0].Format.Kind);
        ActivationTiles inners = Tiles(_innerTiles, experts.Down[0].Format.Kind);
        var h = new MatrixF32(_inner.As<float>(), assignments, inner, inner);
        var outputs = new MatrixF32(_outputs.As<float>(), assignments, y.Columns, y.Columns);
        fixed (int* ends = _segmentEnds)
        {
            inputs.Prepare(pool, x, _rows.As<int>(), ends, segments);
            var gateUp = new PackedGateUpWork(_kernels, inputs, experts, _segmentExpert, h, pool.Split(segments * experts.Gate[0].NumBlocks));
            pool.Run(ref gateUp);
            inners.Prepare(pool, h, null, ends, segments);
        }

        var down = new PackedDownWork(_kernels, inners, experts, _segmentExpert, outputs, pool.Split(segments * experts.Down[0].NumBlocks));
        pool.Run(ref down);
        var combine = new PackedCombineWork(outputs, _places.As<int>(), weights, residual, y);
        pool.Run(ref combine, x.Rows < 8 ? 1 : int.MaxValue);
    }

    /// <summary>h = silu(gate · x) · (up · x) of a layer's only expert: a dense feed-forward's first half.</summary>
    /// <param name="pool">Workers.</param>
    /// <param name="kernels">Emitted code.</param>
    /// <param name="x">Activations, prepared for the format of gate and up, as one segment.</param>
    /// <param name="weights">One gate, one up.</param>
    /// <param name="h">[T, I].</param>
    public static void GateUp(WorkerPool pool, PackedKernels kernels, ActivationTiles x, PackedExpertWeights weights, MatrixF32 h)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(h.Rows, x.NumTokens, nameof(h));
        ArgumentOutOfRangeException.ThrowIfNotEqual(h.Columns, weights.Gate[0].Rows, nameof(h));
        if (x.NumTokens == 0)
        {
            return;
        }

        var work = new PackedGateUpWork(kernels, x, weights, _onlyExpert, h, pool.Split(weights.Gate[0].NumBlocks));
        pool.Run(ref work);
    }

    public void Dispose()
    {
        foreach (ActivationTiles tiles in _inputTiles.Values.Concat(_innerTiles.Values))
        {
            tiles.Dispose();
        }

        _rows.Dispose();
        _places.Dispose();
        _inner.Dispose();
        _outputs.Dispose();
    }

    /// <summary>Counting sort: rows[i] is the token of sorted place i, places[t·TopK + k] the sorted place of a choice.</summary>
    /// <returns>Experts that have tokens.</returns>
    private int Sort(int* ids, int assignments, int topK, int numExperts)
    {
        NativeBuffer.Grow(ref _rows, (nuint)assignments * sizeof(int));
        NativeBuffer.Grow(ref _places, (nuint)assignments * sizeof(int));
        if (_counts.Length < numExperts)
        {
            _counts = new int[numExperts];
            _segmentEnds = new int[numExperts];
            _segmentExpert = new int[numExperts];
        }

        Span<int> counts = _counts.AsSpan(0, numExperts);
        counts.Clear();
        for (int i = 0; i < assignments; i++)
        {
            counts[ids[i]]++;
        }

        int segments = 0;
        int start = 0;
        for (int e = 0; e < numExperts; e++)
        {
            int count = counts[e];
            counts[e] = start;
            start += count;
            if (count > 0)
            {
                _segmentExpert[segments] = e;
                _segmentEnds[segments++] = start;
            }
        }

        for (int i = 0; i < assignments; i++)
        {
            int place = counts[ids[i]]++;
            _rows.As<int>()[place] = i / topK;
            _places.As<int>()[i] = place;
        }

        return segments;
    }

    private static ActivationTiles Tiles(Dictionary<PackedKind, ActivationTiles> cache, PackedKind kind)
    {
        if (!cache.TryGetValue(kind, out ActivationTiles? tiles))
        {
            cache.Add(kind, tiles = new ActivationTiles(kind));
        }

        return tiles;
    }
}
