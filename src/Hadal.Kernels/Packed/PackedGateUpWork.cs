using System.Numerics;
using Hadal.Jit;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Packed;

/// <summary>h = silu(gate · x) · (up · x) for every token of every expert that has any; a block of gate rows and the same rows of up make one claim.</summary>
internal unsafe struct PackedGateUpWork(
    PackedKernels kernels, ActivationTiles x, PackedExpertWeights experts, int[] segmentExpert, int segments, MatrixF32 h) : IWork
{
    private int _next;

    public void Run(int worker, int numWorkers)
    {
        int perTile = PackedBlock.SumsPerTile(x.Format);
        int blocks = experts.Gate[0].NumBlocks;
        float* scratch = Scratch.Worker(2 * x.NumTiles * perTile);
        int item;
        while ((item = Interlocked.Increment(ref _next) - 1) < segments * blocks)
        {
            int segment = item / blocks;
            int block = item % blocks;
            PackedMatrix gate = experts.Gate[segmentExpert[segment]];
            PackedMatrix up = experts.Up[segmentExpert[segment]];
            int first = x.SegmentTile(segment);
            int tiles = x.SegmentTile(segment + 1) - first;
            float* gates = scratch;
            float* ups = scratch + (tiles * perTile);
            PackedBlock.Run(kernels, gate, block, x, first, tiles, gates);
            PackedBlock.Run(kernels, up, block, x, first, tiles, ups);
            int row = block * PackedFormat.BlockRows;
            int rows = Math.Min(gate.Rows - row, PackedFormat.BlockRows);
            int stride = gate.PanelsOf(block) * PackedFormat.PanelRows;
            for (int i = 0; i < tiles; i++)
            {
                for (int t = 0; t < x.TokensOf(first + i); t++)
                {
                    int at = (i * perTile) + (t * stride);
                    Store(gates + at, ups + at, Scales(gate, row), Scales(up, row), rows, h.Row(x.TileStart(first + i) + t) + row);
                }
            }
        }
    }

    private static float* Scales(PackedMatrix m, int row) => m.RowScales == null ? null : m.RowScales + row;

    private static void Store(float* gate, float* up, float* gateScales, float* upScales, int count, float* h)
    {
        int i = 0;
        for (; i <= count - Vector<float>.Count; i += Vector<float>.Count)
        {
            Vector<float> g = Vector.Load(gate + i) * (gateScales == null ? Vector<float>.One : Vector.Load(gateScales + i));
            Vector<float> u = Vector.Load(up + i) * (upScales == null ? Vector<float>.One : Vector.Load(upScales + i));
            Vector.Store(g / (Vector<float>.One + Vector.Exp(-g)) * u, h + i);
        }

        for (; i < count; i++)
        {
            float g = gate[i] * (gateScales == null ? 1 : gateScales[i]);
            h[i] = g / (1 + MathF.Exp(-g)) * (up[i] * (upScales == null ? 1 : upScales[i]));
        }
    }
}
