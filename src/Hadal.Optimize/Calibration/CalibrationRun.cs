using System.Runtime.InteropServices;
using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Optimize.Calibration;

/// <summary>
/// Runs the model over calibration text and shows what each matrix is multiplied with. All rows go through in one step, layer by layer: what is collected of
/// one matrix (its Hessian is K·K numbers) can be used and dropped before the next, and weights behind the current layer give their memory back.
/// </summary>
/// <remarks>Float32 activations over the weights as stored: what is collected does not depend on the machine's instructions beyond rounding.</remarks>
public sealed class CalibrationRun : IDisposable
{
    private readonly ITensorSource _source;
    private readonly bool _mapped;
    private readonly ModelConfig _config;
    private readonly LoadedModel _model;
    private readonly IReadOnlyList<int[]> _rows;
    private readonly Dictionary<Value, List<WeightSpec>> _readers = [];
    private readonly Dictionary<int, WeightSpec> _latentReaders = [];
    private readonly Dictionary<Value, Node> _makers = [];

    /// <param name="config">The model.</param>
    /// <param name="source">Its weights; must outlive this.</param>
    /// <param name="rows">Calibration text as tokens; each row alone.</param>
    /// <param name="threads">Workers; 0 for one per processor.</param>
    /// <param name="mapped">The weights are mapped from files, so that their memory may be given back as they are passed.</param>
    public CalibrationRun(ModelConfig config, ITensorSource source, IReadOnlyList<int[]> rows, int threads, bool mapped)
    {
        ArgumentOutOfRangeException.ThrowIfZero(rows.Count, nameof(rows));
        _config = config;
        _source = source;
        _rows = rows;
        _mapped = mapped;
        int longest = rows.Max(r => r.Length);
        if (longest > config.MaxPositionEmbeddings)
        {
            throw new HadalException($"A row of calibration text has {longest} tokens; the model takes {config.MaxPositionEmbeddings}.");
        }

        foreach (int[] row in rows)
        {
            int wrong = Array.FindIndex(row, id => (uint)id >= (uint)config.VocabSize);
            if (wrong >= 0)
            {
                throw new HadalException($"Calibration text: token id {row[wrong]}; ids of the model go from 0 to {config.VocabSize - 1}.");
            }
        }

        var cpu = new CpuOptions { Threads = threads, Preload = false, KvDType = DType.F32 };
        long kv = rows.Sum(r => (long)Blocks(r, cpu.BlockSize));
        // Hardly fused: every input of a matrix is then a value of its own.
        ModelGraph graph = ModelLoader.BuildGraph(config, FusionPlan.None).Graph;
        long kvBytes = kv * cpu.BlockSize * CpuModelRunner.KvBytesPerToken(graph, cpu.KvDType);
        _model = ModelLoader.Load(config, source, new LoadOptions
        {
            Fusion = FusionPlan.Parse("group-experts,buffer-sharing"),
            Cpu = cpu,
            KvMemoryBytes = kvBytes,
            MaxContextLen = longest,
            MaxSequences = rows.Count + 1,
        });
        foreach (Node node in _model.Graph.Nodes)
        {
            foreach (Value output in node.Outputs)
            {
                _makers[output] = node;
            }

            if (node.Op is LinearOp linear)
            {
                CollectionsMarshal.GetValueRefOrAddDefault(_readers, node.Inputs[0], out _) ??= [];
                _readers[node.Inputs[0]].AddRange(linear.Parts.Select(p => p.Weight));
            }
            else if (node.Op is MlaAttentionOp attention)
            {
                _latentReaders.Add(attention.Layer, attention.KvB);
            }
        }
    }

    /// <summary>Tokens that go through.</summary>
    public int NumTokens => _rows.Sum(r => r.Length);

    /// <summary>Every matrix of linear operations, experts and latent up-projections that text goes through, in the order it does; routers too, the head not.</summary>
    public IEnumerable<WeightSpec> Matrices => _model.Graph.Nodes.SelectMany(n => n.Op switch
    {
        LinearOp op when n.Output.Rows == RowSymbol.Tokens => op.Parts.Select(p => p.Weight),
        ExpertsOp op => op.Weights,
        MlaAttentionOp op => [op.KvB],
        _ => [],
    });

    /// <summary>One pass over the text.</summary>
    /// <param name="visit">Called for each input with all matrices that read it, before they do.</param>
    /// <param name="cancellationToken">Ends the pass before its next operation.</param>
    public void Run(Action<MatrixInput> visit, CancellationToken cancellationToken)
    {
        var runner = _model.Cpu;
        using var batch = new StepBatch(runner.BlockSize);
        batch.Reset(_rows.Count, _rows.Max(r => Blocks(r, runner.BlockSize)));
        int block = 0;
        foreach (int[] row in _rows)
        {
            int blocks = Blocks(row, runner.BlockSize);
            batch.AddSequence(row, 0, [.. Enumerable.Range(block, blocks)], LogitsWanted.None);
            block += blocks;
        }

        var seen = new HashSet<Value>();
        Node? before = null;
        runner.Observer = (node, read) =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            GiveBack(before);
            before = node;
            Visit(node, read, seen, visit);
        };
        try
        {
            runner.Run(batch);
            GiveBack(before);
        }
        finally
        {
            runner.Observer = null;
        }
    }

    public void Dispose() => _model.Dispose();

    private static int Blocks(int[] row, int blockSize) => (row.Length + blockSize - 1) / blockSize;

    private void GiveBack(Node? node)
    {
        if (!_mapped || node is null)
        {
            return;
        }

        foreach (WeightSpec weight in node.Op.Weights)
        {
            if (!weight.IsVector && _source.TryGet(weight.Name, out StoredTensor? tensor))
            {
                _source.Release(tensor);
            }
        }
    }

    private void Visit(Node node, Func<Value, MatrixF32> read, HashSet<Value> seen, Action<MatrixInput> visit)
    {
        switch (node.Op)
        {
            case LinearOp when seen.Add(node.Inputs[0]):
                visit(new MatrixInput(_readers[node.Inputs[0]], read(node.Inputs[0]), Producer(node.Inputs[0]), _model.Cpu.Program.Pool));
                break;
            case KvWriteOp write when _latentReaders.TryGetValue(write.Layer, out WeightSpec? kvB):
                visit(new MatrixInput([kvB], read(node.Inputs[0]), Producer(node.Inputs[0]), _model.Cpu.Program.Pool));
                break;
            case ExpertsOp experts:
                VisitExperts(experts, node, read, visit);
                break;
        }
    }

    /// <summary>The weight whose output columns the value's columns are, one by one: a norm's vector, up of silu(gate)·up, or v of plain attention.</summary>
    private WeightSpec? Producer(Value value) => !_makers.TryGetValue(value, out Node? maker) ? null : maker.Op switch
    {
        RmsNormOp norm when norm.Weight.Rows == value.Columns => norm.Weight,
        MulOp when _makers.GetValueOrDefault(maker.Inputs[1])?.Op is LinearOp { Parts: [{ Bias: null } up] } => up.Weight,
        _ => null,
    };

    private void VisitExperts(ExpertsOp op, Node node, Func<Value, MatrixF32> read, Action<MatrixInput> visit)
    {
        MatrixF32 x = read(node.Inputs[0]);
        MatrixF32 ids = read(node.Inputs[1]);
        var rows = new List<int>[op.Gate.Count];
        for (int e = 0; e < rows.Length; e++)
        {
            rows[e] = [];
        }

        for (int t = 0; t < x.Rows; t++)
        {
            // Ids are whole numbers that lie where floats would.
            foreach (int e in MemoryMarshal.Cast<float, int>(ids.RowSpan(t)))
            {
                rows[e].Add(t);
            }
        }

        WorkerPool pool = _model.Cpu.Program.Pool;
        for (int e = 0; e < rows.Length; e++)
        {
            int n = rows[e].Count;
            using var chosen = new OwnedMatrixF32(n, x.Columns);
            for (int i = 0; i < n; i++)
            {
                x.RowSpan(rows[e][i]).CopyTo(chosen.Row(i));
            }

            visit(new MatrixInput([op.Gate[e], op.Up[e]], chosen.Matrix, Producer(node.Inputs[0]), pool));
            using var gate = new OwnedMatrixF32(n, op.Gate[e].Rows);
            using var up = new OwnedMatrixF32(n, op.Up[e].Rows);
            using (var matrix = new StoredMatrix(_source, _config.Fp8BlockSize, op.Gate[e]))
            {
                matrix.Multiply(pool, chosen.Matrix, gate.Matrix);
            }

            using (var matrix = new StoredMatrix(_source, _config.Fp8BlockSize, op.Up[e]))
            {
                matrix.Multiply(pool, chosen.Matrix, up.Matrix);
            }

            for (int i = 0; i < n; i++)
            {
                Span<float> g = gate.Row(i);
                ReadOnlySpan<float> u = up.Row(i);
                for (int k = 0; k < g.Length; k++)
                {
                    g[k] = g[k] / (1 + MathF.Exp(-g[k])) * u[k];
                }
            }

            visit(new MatrixInput([op.Down[e]], gate.Matrix, op.Up[e], pool));
        }
    }
}
