using Hadal.Kernels;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.MatMul;

namespace Hadal.Graph.Cpu.Lora;

/// <summary>
/// A linear operation, and beside it the low-rank pairs of whichever rows have an adapter: y[t] += B(A x[t]). The base runs over all rows as without adapters,
/// so that rows without one keep every bit; the pairs stay float32, whatever the weights and activations of the base are rounded to.
/// </summary>
internal sealed class CpuLora : CpuOp
{
    private readonly CpuOp _base;
    private readonly CpuBuffer _x;
    private readonly CpuBuffer _y;
    private readonly (int FirstColumn, LoraMatrices?[] ByAdapter)[] _parts;
    private readonly int _maxRank;
    private readonly int _maxOutputs;

    /// <param name="base">The operation as compiled without adapters.</param>
    /// <param name="x">Its input.</param>
    /// <param name="y">Its output.</param>
    /// <param name="parts">Of each of its parts the first column, and the pair of each adapter that has one.</param>
    public CpuLora(CpuOp @base, CpuBuffer x, CpuBuffer y, (int FirstColumn, LoraMatrices?[] ByAdapter)[] parts)
    {
        _base = @base;
        _x = x;
        _y = y;
        _parts = parts;
        LoraMatrices[] all = [.. parts.SelectMany(p => p.ByAdapter).OfType<LoraMatrices>()];
        _maxRank = all.Max(m => m.Rank);
        _maxOutputs = all.Max(m => m.Outputs);
    }

    public override long ScratchFloats(int numTokens)
        => Math.Max(_base.ScratchFloats(numTokens), (long)numTokens * (_x.Columns + _maxRank + _maxOutputs));

    public override unsafe void Run(CpuStep step)
    {
        _base.Run(step);
        foreach ((int adapter, int first, int count) in step.AdapterRows.Groups)
        {
            if (!Has(adapter))
            {
                continue;
            }

            int* rows = step.AdapterRows.Rows + first;
            var x = new MatrixF32(step.Scratch, count, _x.Columns, _x.Columns);
            RowOps.GatherRows(step.Pool, _x.Matrix(step), rows, x);
            foreach ((int column, LoraMatrices?[] byAdapter) in _parts)
            {
                if (byAdapter[adapter - 1] is not { } pair)
                {
                    continue;
                }

                var low = new MatrixF32(step.Scratch + ((nint)count * _x.Columns), count, pair.Rank, pair.Rank);
                var delta = new MatrixF32(low.Data + ((nint)count * pair.Rank), count, pair.Outputs, pair.Outputs);
                MatMulNt.Forward(step.Pool, x, [pair.A], default, low);
                MatMulNt.Forward(step.Pool, low, [pair.B], default, delta);
                MatrixF32 y = _y.Matrix(step);
                RowOps.ScatterAddRows(step.Pool, delta, rows, new MatrixF32(y.Data + column, y.Rows, pair.Outputs, y.Stride));
            }
        }
    }

    private bool Has(int adapter)
    {
        foreach ((_, LoraMatrices?[] byAdapter) in _parts)
        {
            if (byAdapter[adapter - 1] is not null)
            {
                return true;
            }
        }

        return false;
    }
}
