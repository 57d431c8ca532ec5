using Hadal.Kernels;
using Hadal.Kernels.Activation;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

/// <summary>Gate and up packed: of one format, activated where their sums are made; otherwise each into scratch by itself.</summary>
internal sealed class CpuPackedGateUp : CpuOp
{
    private readonly CpuBuffer _x;
    private readonly CpuBuffer _y;
    private readonly (PackedMatrix[]? Packed, WeightMatrix[] Stored)[] _halves;
    private readonly PackedExpertWeights? _joint;
    private readonly int _rows;

    public CpuPackedGateUp(CpuBuffer x, (PackedMatrix? Packed, WeightMatrix Stored) gate, (PackedMatrix? Packed, WeightMatrix Stored) up, int rows, CpuBuffer y)
    {
        _x = x;
        _y = y;
        _rows = rows;
        _halves = [(gate.Packed is null ? null : [gate.Packed], [gate.Stored]), (up.Packed is null ? null : [up.Packed], [up.Stored])];
        // A dense feed-forward is a layer of one expert that every token chooses.
        _joint = gate.Packed is { } g && up.Packed is { } u && g.Format == u.Format ? new PackedExpertWeights([g], [u], []) : null;
    }

    public override long ScratchFloats(int numTokens) => _joint is null ? 2L * numTokens * _rows : 0;

    public override unsafe void Run(CpuStep step)
    {
        MatrixF32 x = _x.Matrix(step);
        MatrixF32 y = _y.Matrix(step);
        if (_joint is not null)
        {
            ActivationTiles tiles = step.Tiles(_joint.Gate[0].Format.Kind);
            tiles.Prepare(step.Pool, x);
            PackedExperts.GateUp(step.Pool, step.Kernels, tiles, _joint, y);
            return;
        }

        Span<MatrixF32> halves = stackalloc MatrixF32[2];
        for (int i = 0; i < 2; i++)
        {
            halves[i] = new MatrixF32(step.Scratch + ((nint)i * y.Rows * _rows), y.Rows, _rows, _rows);
            if (_halves[i].Packed is { } packed)
            {
                ActivationTiles tiles = step.Tiles(packed[0].Format.Kind);
                tiles.Prepare(step.Pool, x);
                PackedMatMul.Forward(step.Pool, step.Kernels, tiles, packed, _firstColumns, default, halves[i]);
            }
            else
            {
                MatMulNt.Forward(step.Pool, x, _halves[i].Stored, default, halves[i]);
            }
        }

        Silu.MulForward(step.Pool, halves[0], halves[1], y);
    }

    private static readonly int[] _firstColumns = [0];
}
