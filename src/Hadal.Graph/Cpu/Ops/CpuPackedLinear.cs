using Hadal.Kernels;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;

namespace Hadal.Graph.Cpu.Ops;

/// <summary>A linear operation over packed weights; parts that have no packed format (a router kept precise) run as stored.</summary>
internal sealed class CpuPackedLinear : CpuOp
{
    private readonly CpuBuffer _x;
    private readonly CpuBuffer _y;
    private readonly CpuBuffer? _residual;
    private readonly ReadOnlyMemoryF32 _bias;
    private readonly (PackedMatrix[] Parts, int[] FirstColumns)[] _packed;
    private readonly (WeightMatrix[] Part, int FirstColumn)[] _stored;

    public CpuPackedLinear(CpuBuffer x, (PackedMatrix? Packed, WeightMatrix Stored, int Rows)[] parts, ReadOnlyMemoryF32 bias, CpuBuffer? residual, CpuBuffer y)
    {
        _x = x;
        _y = y;
        _residual = residual;
        _bias = bias;
        int column = 0;
        var placed = new List<(PackedMatrix? Packed, WeightMatrix Stored, int Column)>();
        foreach ((PackedMatrix? packed, WeightMatrix stored, int rows) in parts)
        {
            placed.Add((packed, stored, column));
            column += rows;
        }

        _packed = [.. placed.Where(p => p.Packed is not null).GroupBy(p => p.Packed!.Format.Kind).Select(g => (g.Select(p => p.Packed!).ToArray(), g.Select(p => p.Column).ToArray()))];
        _stored = [.. placed.Where(p => p.Packed is null).Select(p => (new[] { p.Stored }, p.Column))];
    }

    public override unsafe void Run(CpuStep step)
    {
        MatrixF32 x = _x.Matrix(step);
        MatrixF32 y = _y.Matrix(step);
        var epilogue = new MatMulEpilogue
        {
            Bias = _bias.Length == 0 ? null : _bias.Data,
            Residual = _residual is { } r ? r.Matrix(step) : default,
        };
        foreach ((PackedMatrix[] parts, int[] firstColumns) in _packed)
        {
            ActivationTiles tiles = step.Tiles(parts[0].Format.Kind);
            tiles.Prepare(step.Pool, x);
            PackedMatMul.Forward(step.Pool, step.Kernels, tiles, parts, firstColumns, epilogue, y);
        }

        foreach ((WeightMatrix[] part, int column) in _stored)
        {
            var here = new MatMulEpilogue
            {
                Bias = epilogue.Bias == null ? null : epilogue.Bias + column,
                Residual = epilogue.Residual.Data == null ? default : Columns(epilogue.Residual, column, part[0].Rows),
            };
            MatMulNt.Forward(step.Pool, x, part, here, Columns(y, column, part[0].Rows));
        }
    }

    private static unsafe MatrixF32 Columns(MatrixF32 m, int first, int count) => new(m.Data + first, m.Rows, count, m.Stride);
}
