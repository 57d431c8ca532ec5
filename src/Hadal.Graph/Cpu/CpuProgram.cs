using System.Diagnostics;
using Hadal.Graph.Cpu.Packing;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Planning;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>A compiled model on the CPU: a list of calls with one barrier each, over buffers that are kept from step to step.</summary>
public sealed unsafe class CpuProgram : IDisposable
{
    private readonly CpuOp[] _ops;
    private readonly CpuWeights _weights;
    private readonly PackedKernels? _kernels;
    private readonly IReadOnlyList<IDisposable> _owned;
    private readonly CpuBuffer _logits;
    private readonly bool _roundToBf16;

    internal CpuProgram(
        ModelGraph graph, BufferPlan plan, CpuOp[] ops, CpuWeights weights, PackedKernels? kernels, IReadOnlyList<IDisposable> owned, WorkerPool pool, CpuOptions options, CpuBuffer logits)
    {
        Graph = graph;
        Plan = plan;
        _ops = ops;
        _weights = weights;
        _kernels = kernels;
        _owned = owned;
        Pool = pool;
        _logits = logits;
        _roundToBf16 = options.ActivationDType == DType.Bf16;
    }

    public ModelGraph Graph { get; }

    public BufferPlan Plan { get; }

    public IReadOnlyList<CpuOp> Ops => _ops;

    public WorkerPool Pool { get; }

    /// <summary>Where the time goes, by operation; null (and free) unless someone asks.</summary>
    public StepProfile? Profile { get; set; }

    public long WeightBytes => _weights.ByteLength;

    /// <summary>What loading had of <see cref="CpuOptions.PackCache"/>; null without one.</summary>
    public PackCacheUse? PackCacheUse => _weights.CacheUse;

    /// <summary>Bytes the operations read of a weight, scales included.</summary>
    public long ByteLengthOf(WeightSpec spec)
        => spec.IsVector ? 4L * spec.Rows
            : _weights.Packed(spec)?.ByteLength ?? _weights.PackedHeads(spec)?.ByteLength ?? CpuWeights.ByteLengthOf(_weights.Linear(spec));

    /// <summary>Runs every operation over the batch.</summary>
    /// <returns>[L, V] logits, valid until the next run of the step.</returns>
    public MatrixF32 Run(CpuStep step, StepBatch batch)
    {
        long scratch = 0;
        foreach (CpuOp op in _ops)
        {
            scratch = Math.Max(scratch, op.ScratchFloats(batch.NumTokens));
        }

        step.Begin(batch, Plan.BytesPerRow[RowSymbol.Tokens], Plan.BytesPerRow[RowSymbol.LogitRows], scratch);
        foreach (CpuOp op in _ops)
        {
            // A chunk that wants no logits still runs the trunk, for its pages.
            if (batch.NumLogitRows == 0 && op.Node.Output.Rows == RowSymbol.LogitRows)
            {
                continue;
            }

            if (Profile is { } profile)
            {
                long start = Stopwatch.GetTimestamp();
                op.Run(step);
                profile.Add(op.Node.Op.Name, Stopwatch.GetTimestamp() - start);
            }
            else
            {
                op.Run(step);
            }

            if (_roundToBf16)
            {
                RoundOutputs(op.Node, step);
            }
        }

        return _logits.Matrix(step);
    }

    /// <summary>A named output of the graph, after a run.</summary>
    public MatrixF32 Output(CpuStep step, string name)
    {
        Value value = Graph.Outputs[name];
        return new CpuBuffer(value.Rows, Plan.Offsets[value.Root], value.Offset, value.Columns, (int)(BufferPlanner.Bytes(value.Root) / sizeof(float))).Matrix(step);
    }

    public CpuStep NewStep(KvPages[] pages) => new(Pool, pages, _kernels);

    public void Dispose()
    {
        Pool.Dispose();
        _weights.Dispose();
        _kernels?.Dispose();
        foreach (IDisposable owned in _owned)
        {
            owned.Dispose();
        }
    }

    private void RoundOutputs(Node node, CpuStep step)
    {
        foreach (Value output in node.Outputs)
        {
            if (output.Type != ElementType.F32 || output.Columns == 0 || node.Op is Ir.Ops.RopeTableOp)
            {
                continue;
            }

            MatrixF32 m = new CpuBuffer(output.Rows, Plan.Offsets[output.Root], output.Offset, output.Columns, (int)(BufferPlanner.Bytes(output.Root) / sizeof(float))).Matrix(step);
            for (int t = 0; t < m.Rows; t++)
            {
                Span<float> row = m.RowSpan(t);
                for (int i = 0; i < row.Length; i++)
                {
                    row[i] = Bf16.ToSingle(Bf16.FromSingle(row[i]));
                }
            }
        }
    }
}
