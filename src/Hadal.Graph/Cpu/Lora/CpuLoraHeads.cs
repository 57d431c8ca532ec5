using Hadal.Kernels;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Mla;

namespace Hadal.Graph.Cpu.Lora;

/// <summary>Absorbing the query or expanding the value, and beside it the pair of kv_b, head by head, for the rows that have one (<see cref="LoraHeads"/>).</summary>
/// <param name="base">The operation as compiled without adapters.</param>
/// <param name="x">Its input.</param>
/// <param name="y">Its output.</param>
/// <param name="shape">Widths.</param>
/// <param name="byAdapter">The heads of each adapter that has them.</param>
/// <param name="absorbs">It absorbs; else it expands.</param>
internal sealed class CpuLoraHeads(CpuOp @base, CpuBuffer x, CpuBuffer y, MlaShape shape, LoraHeads?[] byAdapter, bool absorbs) : CpuOp
{
    private readonly int _maxRank = byAdapter.Max(h => h?.Rank ?? 0);

    public override long ScratchFloats(int numTokens)
        => Math.Max(@base.ScratchFloats(numTokens), (long)numTokens * (x.Columns + _maxRank + Math.Max(shape.KvLoraRank, shape.VHeadDim)));

    public override unsafe void Run(CpuStep step)
    {
        @base.Run(step);
        foreach ((int adapter, int first, int count) in step.AdapterRows.Groups)
        {
            if (byAdapter[adapter - 1] is not { } heads)
            {
                continue;
            }

            int* rows = step.AdapterRows.Rows + first;
            var gathered = new MatrixF32(step.Scratch, count, x.Columns, x.Columns);
            RowOps.GatherRows(step.Pool, x.Matrix(step), rows, gathered);
            var low = new MatrixF32(step.Scratch + ((nint)count * x.Columns), count, heads.Rank, heads.Rank);
            float* rest = low.Data + ((nint)count * heads.Rank);
            MatrixF32 output = y.Matrix(step);
            for (int h = 0; h < shape.NumHeads; h++)
            {
                (int from, int inputs, int to, int outputs) = absorbs
                    ? (h * shape.QkHeadDim, shape.QkNopeHeadDim, h * shape.CacheWidth, shape.KvLoraRank)
                    : (h * shape.KvLoraRank, shape.KvLoraRank, h * shape.VHeadDim, shape.VHeadDim);
                var head = new MatrixF32(gathered.Data + from, count, inputs, gathered.Stride);
                var delta = new MatrixF32(rest, count, outputs, outputs);
                MatMulNt.Forward(step.Pool, head, [absorbs ? heads.KeysTransposed(h) : heads.A], default, low);
                MatMulNt.Forward(step.Pool, low, [absorbs ? heads.ATransposed : heads.Values(h)], default, delta);
                RowOps.ScatterAddRows(step.Pool, delta, rows, new MatrixF32(output.Data + to, output.Rows, outputs, output.Stride));
            }
        }
    }
}
