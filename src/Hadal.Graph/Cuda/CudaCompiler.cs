using Hadal.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Planning;
using Hadal.Jit;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Embedding;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Norm;
using Hadal.Kernels.Rope;
using Hadal.Numerics;

namespace Hadal.Graph.Cuda;

/// <summary>Turns a graph into a program for a card: weights laid out in its memory, buffers placed, a launch or a few per node.</summary>
public sealed partial class CudaCompiler
{
    private readonly BufferPlan _plan;
    private readonly CudaWeights _weights;
    private readonly CudaKernels _kernels;
    private readonly CudaOptions _options;
    private readonly Dictionary<Value, LoneNorm> _loneNorms = [];
    private readonly Dictionary<Value, RouterConfig> _routers = [];
    private readonly Dictionary<Node, IReadOnlyList<(DeviceWeight Weight, int FirstRow)>> _stacks = [];
    private readonly Dictionary<Node, DeviceWeight> _gates = [];
    private readonly bool _f32;

    private CudaCompiler(BufferPlan plan, CudaWeights weights, CudaKernels kernels, CudaOptions options)
    {
        _kernels = kernels;
        _plan = plan;
        _weights = weights;
        _options = options;
        _f32 = options.ActivationDType == DType.F32;
    }

    /// <param name="graph">The model, passes applied. Its values' types become the card's.</param>
    /// <param name="source">Its weights; not needed afterwards.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="alsoCheck">Weights to check although no operation uses them yet (MTP layers).</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <exception cref="HadalException">There is no such card, or a weight is missing or wrong.</exception>
    public static CudaModel Compile(
        ModelGraph graph,
        ITensorSource source,
        (int Rows, int Columns)? fp8Block,
        IReadOnlyCollection<WeightSpec> alsoCheck,
        CudaOptions options,
        IProgress<LoadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        IReadOnlyList<CudaDevice> devices = CudaDriver.Devices();
        if (options.Device < 0 || options.Device >= devices.Count)
        {
            throw new HadalException($"There is no card {options.Device}: the driver shows {string.Join(", ", devices.Select(d => $"{d.Ordinal} ({d.Name})"))}.");
        }

        bool f32 = options.ActivationDType == DType.F32;
        if (!f32 && options.ActivationDType != DType.Bf16)
        {
            throw new HadalException($"Activations of {options.ActivationDType}: on a card they are Bf16 or F32.");
        }

        if (f32 ? options.KvDType != DType.F32 : options.KvDType is not (DType.Bf16 or DType.F8E4M3))
        {
            throw new HadalException($"KV pages of {options.KvDType} with activations of {options.ActivationDType}: on a card F32 pages go with F32 activations, Bf16 and F8E4M3 pages with Bf16.");
        }

        if (!f32)
        {
            _ = ResidualIntoLinear.Apply(graph);
        }

        CudaElementTypes.Assign(graph, f32);
        if (options.ShareBuffers)
        {
            RotateInPlace(graph);
        }

        BufferPlan plan = BufferPlanner.Plan(graph, options.ShareBuffers);
        var context = new CudaContext(devices[options.Device]);
        CudaKernels? kernels = null;
        CudaWeights? weights = null;
        Task assembling = Task.CompletedTask;
        try
        {
            kernels = new CudaKernels(context, options.Target);
            using var pool = new WorkerPool(options.LoadThreads);
            weights = new CudaWeights(context, source, fp8Block, graph, pool, options, progress);
            foreach (WeightSpec spec in alsoCheck)
            {
                weights.Check(spec);
            }

            // Meanwhile the driver assembles kernels, on threads of its own.
            CudaKernels library = kernels;
            string[] modules = KernelModules.Of(graph, weights.Kinds(Cpu.CpuCompiler.LinearWeights(graph)), kernels);
            assembling = Task.Run(() => library.Preload(modules), CancellationToken.None);
            var compiler = new CudaCompiler(plan, weights, kernels, options);
            List<CudaOp> ops = [];
            Dictionary<Value, List<Node>> consumers = graph.ConsumersByRoot();
            for (int i = 0; i < graph.Nodes.Count;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                (CudaOp op, int count) = compiler.CompileRun(graph, consumers, i) ?? (compiler.Compile(graph, i), 1);
                ops.Add(op);
                i += count;
            }

            weights.Finish();
            assembling.GetAwaiter().GetResult();
            return new CudaModel(context, kernels, context.NewStream(), new CudaProgram(graph, plan, [.. ops], weights, Buffer(plan, graph.Outputs["logits"])), options);
        }
        catch
        {
            // Nothing may be assembled for a context that goes.
            ((IAsyncResult)assembling).AsyncWaitHandle.WaitOne();
            weights?.Dispose();
            kernels?.Dispose();
            context.Dispose();
            throw;
        }
    }

    internal static CudaBuffer Buffer(BufferPlan plan, Value value)
    {
        Value root = value.Root;
        return new CudaBuffer(value.Rows, plan.Offsets[root], root.Type, value.Offset, value.Columns, (int)(BufferPlanner.Bytes(root) / BufferPlanner.ElementBytes(root.Type)));
    }

    /// <summary>Queries that nobody else reads are rotated where they lie, also within a joined projection.</summary>
    private static void RotateInPlace(ModelGraph graph)
    {
        var consumers = graph.ConsumersByRoot();
        foreach (Node node in graph.Nodes.Where(n => n.Op is RopeOp))
        {
            Value x = node.Inputs[0];
            bool alone = consumers[x.Root].All(c => ReferenceEquals(c, node) || c.Inputs.Where(i => ReferenceEquals(i.Root, x.Root)).All(i => i.Offset >= x.Offset + x.Columns || i.Offset + i.Columns <= x.Offset));
            if (alone && !graph.IsOutput(x) && !graph.IsOutput(node.Output))
            {
                (node.Output.Base, node.Output.Offset) = (x.Root, x.Offset);
            }
        }
    }

    private CudaBuffer Buffer(Value value) => Buffer(_plan, value);

    private CudaOp Compile(ModelGraph graph, int at)
    {
        Node node = graph.Nodes[at];
        CudaBuffer In(int i) => Buffer(node.Inputs[i]);
        CudaBuffer Out(int i = 0) => Buffer(node.Outputs[i]);
        switch (node.Op)
        {
            case EmbedOp op:
                {
                    DeviceMatrix table = _weights.Rows(op.Weight);
                    CudaBuffer y = Out();
                    return new CudaOp(node, s => EmbedCuda.Run(s.Kernels, s.Stream, table, s.Batch.Tokens, y.Matrix(s)));
                }

            case RmsNormOp op:
                {
                    nint w = _weights.Vector(op.Weight);
                    (CudaBuffer x, CudaBuffer y) = (In(0), Out());
                    return new CudaOp(node, s => RmsNormCuda.Run(s.Kernels, s.Stream, x.Matrix(s), w, op.Weight.Rows, op.Eps, y.Matrix(s)));
                }

            case AddRmsNormOp op:
                {
                    nint w = _weights.Vector(op.Weight);
                    // The residual stream is float32; what is added to it may be either.
                    (CudaBuffer x, CudaBuffer residual) = ResidualLast(In(0), In(1));
                    (CudaBuffer sum, CudaBuffer y) = (Out(), Out(1));
                    return new CudaOp(node, s => RmsNormCuda.RunAdd(s.Kernels, s.Stream, x.Matrix(s), residual.Matrix(s), w, op.Eps, sum.Matrix(s), y.Matrix(s)));
                }

            case LinearOp op:
                return CompileLinear(node, op, Ahead(graph, at));
            case GateUpOp op:
                return CompileGateUp(node, op);
            case AddBiasOp op:
                {
                    nint bias = _weights.Vector(op.Bias);
                    (CudaBuffer x, CudaBuffer y) = (In(0), Out());
                    return new CudaOp(node, s => ElementwiseCuda.AddBias(s.Kernels, s.Stream, x.Matrix(s), bias, y.Matrix(s)));
                }

            case AddOp:
                {
                    (CudaBuffer b, CudaBuffer a) = ResidualLast(In(0), In(1));
                    CudaBuffer y = Out();
                    return new CudaOp(node, s => ElementwiseCuda.Add(s.Kernels, s.Stream, a.Matrix(s), b.Matrix(s), y.Matrix(s)));
                }

            case MulOp:
                {
                    (CudaBuffer a, CudaBuffer b, CudaBuffer y) = (In(0), In(1), Out());
                    return new CudaOp(node, s => ElementwiseCuda.Mul(s.Kernels, s.Stream, a.Matrix(s), b.Matrix(s), y.Matrix(s)));
                }

            case SiluOp:
                {
                    (CudaBuffer x, CudaBuffer y) = (In(0), Out());
                    return new CudaOp(node, s => ElementwiseCuda.Silu(s.Kernels, s.Stream, x.Matrix(s), y.Matrix(s)));
                }

            case SiluMulOp:
                {
                    (CudaBuffer gate, CudaBuffer up, CudaBuffer y) = (In(0), In(1), Out());
                    return new CudaOp(node, s => ElementwiseCuda.SiluMul(s.Kernels, s.Stream, gate.Matrix(s), up.Matrix(s), y.Matrix(s)));
                }

            case RopeTableOp op:
                {
                    nint frequencies = _weights.Constants(op.InverseFrequencies);
                    CudaBuffer y = Out();
                    return new CudaOp(node, s => RopeTableCuda.Run(s.Kernels, s.Stream, s.Batch.Positions, frequencies, op.Magnitude, y.Matrix(s)));
                }

            case RopeOp op:
                {
                    (CudaBuffer x, CudaBuffer table, CudaBuffer y) = (In(0), In(1), Out());
                    return new CudaOp(node, s => RopeCuda.Run(s.Kernels, s.Stream, x.Matrix(s), table.Matrix(s), op.NumHeads, op.Start, op.Interleaved, y.Matrix(s)));
                }

            case KvWriteOp op:
                {
                    (CudaBuffer first, CudaBuffer second) = (In(0), In(1));
                    return new CudaOp(node, s => RopeCuda.WriteKv(s.Kernels, s.Stream, first.Matrix(s), second.Matrix(s), s.Batch.Slots, s.Pages(op.Layer)));
                }

            case RopeKvWriteOp op:
                {
                    (CudaBuffer k, CudaBuffer v, CudaBuffer table) = (In(0), In(1), In(2));
                    return new CudaOp(node, s => RopeCuda.RopeKvWrite(s.Kernels, s.Stream, k.Matrix(s), v.Matrix(s), table.Matrix(s), op.NumKvHeads, op.Start, op.Interleaved, s.Batch.Slots, s.Pages(op.Layer)));
                }

            case MlaNormRopeKvWriteOp op:
                {
                    nint w = _weights.Vector(op.NormWeight);
                    (CudaBuffer kvA, CudaBuffer table) = (In(0), In(1));
                    return new CudaOp(node, s => MlaNormRopeKvWriteCuda.Run(s.Kernels, s.Stream, kvA.Matrix(s), w, op.Eps, table.Matrix(s), op.Interleaved, s.Batch.Slots, s.Pages(op.Layer)));
                }

            case SelectLogitRowsOp:
                {
                    (CudaBuffer x, CudaBuffer y) = (In(0), Out());
                    return new CudaOp(node, s => SelectRowsCuda.Run(s.Kernels, s.Stream, x.Matrix(s), s.Batch.LogitRows, y.Matrix(s)));
                }

            case AttentionOp op:
                {
                    (CudaBuffer q, CudaBuffer o) = (In(0), Out());
                    bool deterministic = _options.Deterministic;
                    return new CudaOp(
                        node,
                        s => PagedAttentionCuda.Run(
                            s.Kernels, s.Stream, q.Matrix(s), s.Batch, s.Pages(op.Layer).Data, s.Pages(op.Layer).DType, op.NumHeads, op.NumKvHeads, op.Scale, o.Matrix(s), s.Shape.MaxQueryLen, s.Workspace, s.Counters, deterministic),
                        shape => new StepScratch(
                            PagedAttentionCuda.WorkspaceBytes(shape.NumSequences, op.NumHeads, op.NumKvHeads, q.Columns / op.NumHeads, deterministic),
                            Counters: PagedAttentionCuda.CounterBytes(shape.NumSequences, op.NumHeads, op.NumKvHeads)));
                }

            case MlaAttentionOp op:
                {
                    DeviceMatrix kvB = _weights.Rows(op.KvB);
                    (CudaBuffer q, CudaBuffer o) = (In(0), Out());
                    bool deterministic = _options.Deterministic;
                    return new CudaOp(
                        node,
                        s => MlaAttentionCuda.Run(
                            s.Kernels, s.Stream, q.Matrix(s), s.Batch, s.Pages(op.Layer).Data, s.Pages(op.Layer).DType, kvB, op.Shape, op.Scale, o.Matrix(s), s.Shape.MaxQueryLen, s.Workspace, deterministic),
                        shape => new StepScratch(MlaAttentionCuda.WorkspaceBytes(shape.NumTokens, shape.NumSequences, op.Shape, deterministic, _options.ActivationDType)));
                }

            case MlaAbsorbQueryOp op:
                {
                    DeviceMatrix kvB = _weights.Rows(op.KvB);
                    (CudaBuffer q, CudaBuffer y) = (In(0), Out());
                    return new CudaOp(node, s => MlaAbsorbQueryCuda.Run(s.Kernels, s.Stream, q.Matrix(s), kvB, op.Shape, y.Matrix(s)));
                }

            case MlaLatentAttentionOp op:
                {
                    (CudaBuffer q, CudaBuffer o) = (In(0), Out());
                    bool deterministic = _options.Deterministic;
                    return new CudaOp(
                        node,
                        s => MlaLatentAttentionCuda.Run(
                            s.Kernels, s.Stream, q.Matrix(s), s.Batch, s.Pages(op.Layer).Data, s.Pages(op.Layer).DType, op.Shape, op.Scale, o.Matrix(s), s.Shape.MaxQueryLen, s.Workspace, deterministic),
                        shape => new StepScratch(MlaLatentAttentionCuda.WorkspaceBytes(shape.NumSequences, op.Shape, deterministic)));
                }

            case MlaExpandValueOp op:
                {
                    DeviceMatrix kvB = _weights.Rows(op.KvB);
                    (CudaBuffer latent, CudaBuffer o) = (In(0), Out());
                    return new CudaOp(node, s => MlaExpandValueCuda.Run(s.Kernels, s.Stream, latent.Matrix(s), kvB, op.Shape, o.Matrix(s)));
                }

            case RouterOp op:
                {
                    nint bias = op.CorrectionBias is { } b ? _weights.Vector(b) : 0;
                    (CudaBuffer logits, CudaBuffer ids, CudaBuffer weights) = (In(0), Out(), Out(1));
                    RouterConfig config = op.Config;
                    _routers.Add(node.Output, config);
                    return new CudaOp(
                        node,
                        s => TopKRouterCuda.RunSorted(s.Kernels, s.Stream, logits.Matrix(s), bias, config, ids.Matrix(s).Data, weights.Matrix(s).Data, s.Batch.Slots, ExpertPlan.Order(s.Kept, s.Shape.NumTokens, config)),
                        shape => new StepScratch(0, Kept: ExpertPlan.Bytes(shape.NumTokens, config)));
                }

            case ExpertsOp op:
                return CompileExperts(node, op, null);
            default:
                throw new NotSupportedException($"a card has no operation {node.Op.Name}");
        }
    }

    private static (CudaBuffer Other, CudaBuffer Residual) ResidualLast(CudaBuffer a, CudaBuffer b) => b.Type == ElementType.F32 ? (a, b) : (b, a);

    /// <summary>The matrices of a matmul, made once for each node.</summary>
    private IReadOnlyList<(DeviceWeight Weight, int FirstRow)> Stacks(Node node)
    {
        if (!_stacks.TryGetValue(node, out IReadOnlyList<(DeviceWeight Weight, int FirstRow)>? stacks))
        {
            stacks = _weights.Linear(node.Op is GateUpOp both ? [both.Gate, both.Up] : [.. ((LinearOp)node.Op).Parts.Select(p => p.Weight)]);
            _stacks.Add(node, stacks);
        }

        return stacks;
    }

    private DeviceWeight ExpertGates(Node node)
    {
        if (!_gates.TryGetValue(node, out DeviceWeight gates))
        {
            var op = (ExpertsOp)node.Op;
            gates = _weights.Experts(op.Gate, op.Up);
            _gates.Add(node, gates);
        }

        return gates;
    }

    private CudaOp CompileLinear(Node node, LinearOp op, WeightsAhead ahead)
    {
        IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks = Stacks(node);
        nint biases = _weights.Biases(op.Parts);
        CudaBuffer x = Buffer(node.Inputs[0]);
        CudaBuffer? residual = op.HasResidual ? Buffer(node.Inputs[1]) : null;
        CudaBuffer y = Buffer(node.Output);
        if (_f32)
        {
            return LinearF32(node, stacks, biases, x, residual, y);
        }

        bool deterministic = _options.Deterministic;
        LoneNorm? lone = LoneNormOf(node);
        return new CudaOp(
            node,
            s =>
            {
                DeviceMatrix whole = y.Matrix(s);
                if (s.Shape.NumTokens == 1 && lone is { } norm)
                {
                    MatMulCuda.RunNorm(s.Kernels, s.Stream, norm.X.Matrix(s), norm.Row, stacks[0].Weight, biases, whole, ahead);
                    return;
                }

                foreach ((DeviceWeight weight, int first) in stacks)
                {
                    MatMulCuda.Run(
                        s.Kernels, s.Stream, x.Matrix(s), weight, biases == 0 ? 0 : biases + (first * sizeof(float)),
                        residual is { } r ? r.Matrix(s).ColumnRange(first, weight.Rows) : default, whole.ColumnRange(first, weight.Rows), s.Workspace, s.Counters, deterministic, ahead);
                }
            },
            shape => Scratch(stacks, shape.Rows(x.Rows)));
    }

    private CudaOp CompileGateUp(Node node, GateUpOp op)
    {
        IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks = Stacks(node);
        (CudaBuffer x, CudaBuffer y) = (Buffer(node.Inputs[0]), Buffer(node.Output));
        if (_f32)
        {
            return GateUpF32(node, stacks, x, y);
        }

        bool deterministic = _options.Deterministic;
        if (stacks.Count == 1)
        {
            DeviceWeight both = stacks[0].Weight;
            LoneNorm? lone = LoneNormOf(node);
            return new CudaOp(
                node,
                s =>
                {
                    if (s.Shape.NumTokens == 1 && lone is { } norm)
                    {
                        MatMulCuda.RunNormGateUp(s.Kernels, s.Stream, norm.X.Matrix(s), norm.Row, both, y.Matrix(s));
                        return;
                    }

                    MatMulCuda.RunGateUp(s.Kernels, s.Stream, x.Matrix(s), both, y.Matrix(s), s.Workspace, s.Counters, deterministic);
                },
                shape => Scratch(stacks, shape.NumTokens));
        }

        // Gate and up of two types: both into the workspace, then activated.
        int inner = op.Gate.Rows;
        int stride = (2 * inner + 31) / 32 * 32;
        return new CudaOp(
            node,
            s =>
            {
                var sums = new DeviceMatrix(s.Workspace, DType.Bf16, s.Shape.NumTokens, 2 * inner, stride);
                nint rest = s.Workspace + (nint)SumBytes(s.Shape);
                foreach ((DeviceWeight weight, int first) in stacks)
                {
                    MatMulCuda.Run(s.Kernels, s.Stream, x.Matrix(s), weight, 0, default, sums.ColumnRange(first, weight.Rows), rest, s.Counters, deterministic);
                }

                ElementwiseCuda.SiluMul(s.Kernels, s.Stream, sums.ColumnRange(0, inner), sums.ColumnRange(inner, inner), y.Matrix(s));
            },
            shape => Scratch(stacks, shape.NumTokens) is var scratch ? scratch with { Workspace = scratch.Workspace + SumBytes(shape) } : default);

        long SumBytes(StepShape shape) => ((2L * shape.NumTokens * stride) + 255) / 256 * 256;
    }

    private CudaOp CompileExperts(Node node, ExpertsOp op, ExpertsNorm? norm)
    {
        int count = op.Gate.Count;
        int inner = op.Gate[0].Rows;
        DeviceWeight gateUp = ExpertGates(node);
        DeviceWeight down = _weights.Experts(op.Down);
        (CudaBuffer x, CudaBuffer ids, CudaBuffer weights) = (Buffer(node.Inputs[0]), Buffer(node.Inputs[1]), Buffer(node.Inputs[2]));
        CudaBuffer? residual = op.HasResidual ? Buffer(node.Inputs[3]) : null;
        CudaBuffer y = Buffer(node.Output);
        RouterConfig config = _routers[node.Inputs[1]];
        if (_f32)
        {
            return ExpertsF32(node, gateUp, down, count, config, x, weights, residual, y);
        }

        bool deterministic = _options.Deterministic;
        int topK = ids.Columns;
        LoneNorm? lone = LoneNormOf(node);
        int innerStride = (inner + 31) / 32 * 32;
        int outStride = (x.Columns + 31) / 32 * 32;
        return new CudaOp(
            node,
            s =>
            {
                int pairs = s.Shape.NumTokens * topK;
                ExpertOrder order = ExpertPlan.Order(s.Kept, s.Shape.NumTokens, config);
                var hidden = new DeviceMatrix(s.Workspace, DType.Bf16, pairs, inner, innerStride);
                var rows = new DeviceMatrix(hidden.Data + (nint)Bytes(pairs, innerStride), DType.Bf16, pairs, x.Columns, outStride);
                nint rest = rows.Data + (nint)Bytes(pairs, outStride);
                if (s.Shape.NumTokens == 1 && lone is { } l)
                {
                    MatMulCuda.RunNormExpertsGateUp(s.Kernels, s.Stream, l.X.Matrix(s), l.Row, gateUp, count, order, topK, hidden);
                }
                else
                {
                    MatMulCuda.RunExpertsGateUp(s.Kernels, s.Stream, x.Matrix(s), gateUp, count, order, topK, hidden, rest, s.Counters, deterministic);
                }

                MatMulCuda.RunExperts(s.Kernels, s.Stream, hidden, down, count, order, topK, rows, rest, s.Counters, deterministic, afterGateUp: true);
                // What is added is the residual stream in float32, or shared experts in bf16.
                DeviceMatrix add = residual is { } r ? r.Matrix(s) : default;
                if (norm is { } n)
                {
                    MoeCombineCuda.RunNorm(s.Kernels, s.Stream, rows, order.Positions, weights.Matrix(s).Data, topK, add, n.Residual.Matrix(s), n.Sum.Matrix(s), n.Weight, n.Eps, n.Normed.Matrix(s));
                    return;
                }

                bool stream = add.DType == DType.F32;
                MoeCombineCuda.Run(s.Kernels, s.Stream, rows, order.Positions, weights.Matrix(s).Data, topK, stream ? default : add, stream ? add : default, y.Matrix(s));
            },
            shape =>
            {
                int pairs = shape.NumTokens * topK;
                return new StepScratch(
                    Bytes(pairs, innerStride) + Bytes(pairs, outStride) + Math.Max(MatMulCuda.ExpertWorkspaceBytes(shape.NumTokens, topK, gateUp, count), MatMulCuda.ExpertWorkspaceBytes(shape.NumTokens, topK, down, count)),
                    Kept: ExpertPlan.Bytes(shape.NumTokens, config),
                    Counters: Math.Max(MatMulCuda.ExpertCounterBytes(shape.NumTokens, topK, gateUp, count), MatMulCuda.ExpertCounterBytes(shape.NumTokens, topK, down, count)));
            });

        static long Bytes(int rows, int stride) => ((2L * rows * stride) + 255) / 256 * 256;
    }

    private static StepScratch Scratch(IReadOnlyList<(DeviceWeight Weight, int FirstRow)> stacks, int rows)
    {
        var most = default(StepScratch);
        foreach ((DeviceWeight weight, _) in stacks)
        {
            most = most.Max(new StepScratch(MatMulCuda.WorkspaceBytes(rows, weight), Counters: MatMulCuda.CounterBytes(rows, weight)));
        }

        return most;
    }
}
