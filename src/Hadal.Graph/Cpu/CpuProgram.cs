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
        Adapters = [.. options.Adapters.Select(a => a.Name)];
        _roundToBf16 = options.ActivationDType == DType.Bf16;
    }

    public ModelGraph Graph { get; }

    public BufferPlan Plan { get; }

    public IReadOnlyList<CpuOp> Ops => _ops;

    public WorkerPool Pool { get; }

    /// <summary>Names of the LoRA adapters, in the order of their numbers.</summary>
    public IReadOnlyList<string> Adapters { get; }

    /// <summary>Disposing the program disposes its workers. Off where another program runs on them too and outlives it.</summary>
    public bool OwnsPool { get; set; } = true;

    /// <summary>Where the time goes, by operation; null (and free) unless someone asks.</summary>
    public StepProfile? Profile { get; set; }

    /// <summary>After each operation its results are looked through, and the first NaN or infinity ends the step with a message that names it. For checks: it costs a pass over every result.</summary>
    public bool ChecksFinite { get; set; }

    /// <summary>Told before each operation runs, with a way to read its inputs; null (and free) unless someone asks. What it reads is the step's own memory.</summary>
    public Action<Node, Func<Value, MatrixF32>>? Observer { get; set; }

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

        step.Begin(batch, Plan.BytesPerRow[RowSymbol.Tokens], Plan.BytesPerRow[RowSymbol.LogitRows], scratch, Adapters.Count);
        foreach (CpuOp op in _ops)
        {
            // A chunk that wants no logits still runs the trunk, for its pages.
            if (batch.NumLogitRows == 0 && op.Node.Output.Rows == RowSymbol.LogitRows)
            {
                continue;
            }

            if (Observer is { } observer)
            {
                Observe(observer, op.Node, step);
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

            if (ChecksFinite)
            {
                CheckFinite(op.Node, step);
            }

            if (_roundToBf16)
            {
                RoundOutputs(op.Node, step);
            }
        }

        return _logits.Matrix(step);
    }

    /// <summary>A named output of the graph, after a run.</summary>
    public MatrixF32 Output(CpuStep step, string name) => BufferOf(Graph.Outputs[name]).Matrix(step);

    public CpuStep NewStep(KvPages[] pages) => new(Pool, pages, _kernels);

    public void Dispose()
    {
        if (OwnsPool)
        {
            Pool.Dispose();
        }

        _weights.Dispose();
        _kernels?.Dispose();
        foreach (IDisposable owned in _owned)
        {
            owned.Dispose();
        }
    }

    private void CheckFinite(Node node, CpuStep step)
    {
        foreach (Value output in node.Outputs.Where(o => o.Type == ElementType.F32 && o.Columns > 0))
        {
            MatrixF32 m = BufferOf(output).Matrix(step);
            for (int t = 0; t < m.Rows; t++)
            {
                Span<float> row = m.RowSpan(t);
                for (int i = 0; i < row.Length; i++)
                {
                    if (!float.IsFinite(row[i]))
                    {
                        string weights = string.Join(", ", node.Op.Weights.Take(3).Select(w => w.Name));
                        throw new HadalException($"{node.Scope}: {node.Op.Name} gave {row[i]} (row {t}, column {i}), and everything before it was finite{(weights.Length > 0 ? $"; it reads {weights}" : "")}. The weights are damaged, or activations overflow.");
                    }
                }
            }
        }
    }

    // Apart from Run, so that its closure costs nothing where nobody observes.
    private void Observe(Action<Node, Func<Value, MatrixF32>> observer, Node node, CpuStep step)
        => observer(node, value =>
        {
            MatrixF32 matrix = BufferOf(value).Matrix(step);
            // Whole numbers lie without gaps between rows.
            return value.Type == ElementType.I32 ? new MatrixF32(matrix.Data, matrix.Rows, matrix.Columns, matrix.Columns) : matrix;
        });

    private CpuBuffer BufferOf(Value value)
        => new(value.Rows, Plan.Offsets[value.Root], value.Offset, value.Columns, (int)(BufferPlanner.Bytes(value.Root) / sizeof(float)));

    private void RoundOutputs(Node node, CpuStep step)
    {
        foreach (Value output in node.Outputs)
        {
            if (output.Type != ElementType.F32 || output.Columns == 0 || node.Op is Ir.Ops.RopeTableOp)
            {
                continue;
            }

            MatrixF32 m = BufferOf(output).Matrix(step);
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
