using Hadal.Graph.Cpu.Lora;
using Hadal.Graph.Cpu.Ops;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Planning;
using Hadal.Jit;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>Turns a graph into a program for the CPU: weights bound, buffers placed, one call per node.</summary>
public sealed class CpuCompiler
{
    private readonly BufferPlan _plan;
    private readonly CpuWeights _weights;
    private readonly PackedKernels? _kernels;
    private readonly DType _kvDType;
    private readonly List<IDisposable> _owned = [];

    private CpuCompiler(BufferPlan plan, CpuWeights weights, PackedKernels? kernels, DType kvDType)
    {
        _kvDType = kvDType;
        _kernels = kernels;
        _plan = plan;
        _weights = weights;
    }

    /// <param name="graph">The model, passes applied.</param>
    /// <param name="source">Its weights; must outlive the program.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="alsoBind">Weights to load and check although no operation uses them yet (MTP layers).</param>
    /// <param name="pool">Workers; the program runs on them and disposes them.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <exception cref="HadalException">A weight is missing or wrong.</exception>
    public static CpuProgram Compile(
        ModelGraph graph,
        ITensorSource source,
        (int Rows, int Columns)? fp8Block,
        IReadOnlyCollection<WeightSpec> alsoBind,
        WorkerPool pool,
        CpuOptions options,
        IProgress<LoadProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        BufferPlan plan = BufferPlanner.Plan(graph, options.ShareBuffers);
        var linear = LinearWeights(graph).Select(w => w.Name).ToHashSet(StringComparer.Ordinal);
        var alsoRead = graph.Nodes.Where(n => n.Op is not (LinearOp or GateUpOp or ExpertsOp)).SelectMany(n => n.Op.Weights).Select(w => w.Name).ToHashSet(StringComparer.Ordinal);
        WeightSpec[] specs = [.. graph.Weights.Concat(alsoBind).Distinct()];
        PackedKernels? kernels = options.Pack ? new PackedKernels(ProcessIsa.EmittedFeatures()) : null;
        CpuWeights? weights = null;
        CpuCompiler? compiler = null;
        try
        {
            HashSet<string> packable = Packable(graph, linear, new StoredWeights(source, fp8Block), kernels, options);
            weights = CpuWeights.Bind(specs, linear, packable, alsoRead, source, fp8Block, pool, kernels, options, progress, cancellationToken);
            compiler = new CpuCompiler(plan, weights, kernels, options.KvDType);
            List<CpuOp> ops = [];
            var lora = new LoraCompiler(options.Adapters, compiler._owned);
            foreach (Node node in graph.Nodes)
            {
                cancellationToken.ThrowIfCancellationRequested();
                CpuOp op = compiler.Compile(node);
                ops.Add(options.Adapters.Count == 0 ? op : lora.Wrap(op, compiler.Buffer(node.Inputs.FirstOrDefault() ?? node.Output), compiler.Buffer(node.Output)));
            }

            lora.CheckAllUsed();

            weights.CompleteCache(cancellationToken);
            if (options.PackCache is { } cache && weights.CacheUse is null or { NumRead: 0, NumPacked: 0 })
            {
                options.Notice?.Invoke($"--pack-cache {cache}: no weight is packed, so none is kept. --dtype auto packs, where the processor has AVX-512 VNNI or BF16 and the weights are of a type that it is for.");
            }

            return new CpuProgram(graph, plan, [.. ops], weights, kernels, compiler._owned, pool, options, compiler.Buffer(graph.Outputs["logits"]));
        }
        catch
        {
            compiler?._owned.ForEach(o => o.Dispose());
            weights?.Dispose();
            kernels?.Dispose();
            throw;
        }
    }

    /// <summary>Of the matrices of linear operations and experts, those that an operation will read packed: no other may lose its stored bytes.</summary>
    private static HashSet<string> Packable(ModelGraph graph, IEnumerable<string> linear, StoredWeights stored, PackedKernels? kernels, CpuOptions options)
    {
        var packable = linear.ToHashSet(StringComparer.Ordinal);
        foreach (ExpertsOp op in graph.Nodes.Select(n => n.Op).OfType<ExpertsOp>())
        {
            if (kernels is null || !KernelPlan.PacksExperts(op, Kind))
            {
                packable.ExceptWith(op.Weights.Select(w => w.Name));
            }
        }

        return packable;

        PackedKind? Kind(WeightSpec spec) => KernelPlan.KindOf(spec, stored.Describe(spec, stored.Find(spec), out _), kernels, options);
    }

    /// <summary>Matrices that conversion to another weight type is for.</summary>
    public static IEnumerable<WeightSpec> LinearWeights(ModelGraph graph) => graph.Nodes.SelectMany(n => n.Op switch
    {
        LinearOp linear => linear.Parts.Select(p => p.Weight),
        GateUpOp gateUp => gateUp.Weights,
        ExpertsOp experts => experts.Weights,
        _ => [],
    });

    internal CpuBuffer Buffer(Value value)
    {
        Value root = value.Root;
        return new CpuBuffer(value.Rows, _plan.Offsets[root], value.Offset, value.Columns, (int)(BufferPlanner.Bytes(root) / sizeof(float)));
    }

    private CpuOp Compile(Node node)
    {
        CpuBuffer In(int i) => Buffer(node.Inputs[i]);
        CpuBuffer Out(int i = 0) => Buffer(node.Outputs[i]);
        return node.Op switch
        {
            EmbedOp op => new CpuEmbed(_weights.Matrix(op.Weight), Out()) { Node = node },
            RmsNormOp op => new CpuRmsNorm(In(0), _weights.Vector(op.Weight), op.Eps, Out()) { Node = node },
            AddRmsNormOp op => new CpuAddRmsNorm(In(0), In(1), _weights.Vector(op.Weight), op.Eps, Out(), Out(1)) { Node = node },
            LinearOp op when op.Parts.Any(p => _weights.Packed(p.Weight) is not null)
                => new CpuPackedLinear(In(0), [.. op.Parts.Select(PackedPart)], Bias(op), op.HasResidual ? In(1) : null, Out()) { Node = node },
            LinearOp op => new CpuLinear(In(0), Parts(op), Bias(op), op.HasResidual ? In(1) : null, Out()) { Node = node },
            GateUpOp op when _weights.Packed(op.Gate) is not null || _weights.Packed(op.Up) is not null
                => new CpuPackedGateUp(In(0), Half(op.Gate), Half(op.Up), op.Gate.Rows, Out()) { Node = node },
            GateUpOp op => new CpuGateUp(In(0), _weights.Linear(op.Gate), _weights.Linear(op.Up), Out()) { Node = node },
            AddBiasOp op => new CpuAddBias(In(0), _weights.Vector(op.Bias), Out()) { Node = node },
            AddOp => new CpuAdd(In(0), In(1), Out()) { Node = node },
            MulOp => new CpuMul(In(0), In(1), Out()) { Node = node },
            SiluOp => new CpuSilu(In(0), Out()) { Node = node },
            SiluMulOp => new CpuSiluMul(In(0), In(1), Out()) { Node = node },
            RopeTableOp op => new CpuRopeTable(op.InverseFrequencies, op.Magnitude, Out()) { Node = node },
            RopeOp op => new CpuRope(In(0), In(1), op.NumHeads, op.Start, op.Interleaved, Out()) { Node = node },
            KvWriteOp op => new CpuKvWrite(In(0), In(1), op.Layer) { Node = node },
            RopeKvWriteOp op => new CpuRopeKvWrite(In(0), In(1), In(2), op) { Node = node },
            MlaNormRopeKvWriteOp op => new CpuMlaNormRopeKvWrite(In(0), _weights.Vector(op.NormWeight), In(1), op) { Node = node },
            AttentionOp op when _kvDType == DType.Bf16 && _kernels?.Attention(AttentionKernelShape.GroupedQuery(op.NumHeads, op.NumKvHeads, node.Inputs[0].Columns / op.NumHeads)) is { } kernel
                => new CpuEmittedAttention(In(0), op.Layer, op.Scale, kernel, Out()) { Node = node },
            AttentionOp op => new CpuAttention(In(0), op, Out()) { Node = node },
            MlaAttentionOp op => new CpuMlaAttention(In(0), _weights.Matrix(op.KvB), op, Out()) { Node = node },
            MlaAbsorbQueryOp op when _weights.PackHeads(op.KvB, op.Shape) is { } heads
                => new CpuPackedMlaAbsorbQuery(In(0), Heads(heads.KeysTransposed), op.Shape, Out()) { Node = node },
            MlaAbsorbQueryOp op => new CpuMlaAbsorbQuery(In(0), _weights.Matrix(op.KvB), op.Shape, Out()) { Node = node },
            MlaLatentAttentionOp op when _kvDType == DType.Bf16 && _kernels?.Attention(AttentionKernelShape.Latent(op.Shape)) is { } kernel
                => new CpuEmittedAttention(In(0), op.Layer, op.Scale, kernel, Out()) { Node = node },
            MlaLatentAttentionOp op => new CpuMlaLatentAttention(In(0), op, Out()) { Node = node },
            MlaExpandValueOp op when _weights.PackHeads(op.KvB, op.Shape) is { } heads
                => new CpuPackedMlaExpandValue(In(0), Heads(heads.Values), op.Shape, Out()) { Node = node },
            MlaExpandValueOp op => new CpuMlaExpandValue(In(0), _weights.Matrix(op.KvB), op.Shape, Out()) { Node = node },
            RouterOp op => new CpuRouter(In(0), op.CorrectionBias is { } bias ? _weights.Vector(bias) : default, op.Config, Out(), Out(1)) { Node = node },
            ExpertsOp op when op.Grouped && PackedExperts(op) is { } experts
                => new CpuPackedExperts(In(0), In(1), In(2), experts, op.HasResidual ? In(3) : null, Out()) { Node = node },
            ExpertsOp op => new CpuExperts(In(0), In(1), In(2), Experts(op), op.HasResidual ? In(3) : null, op.Grouped, Out()) { Node = node },
            PreviousHiddenOp => new CpuPreviousHidden(Out()) { Node = node },
            MtpJoinOp op => new CpuMtpJoin(In(0), In(1), _weights.Vector(op.EmbeddingNorm), _weights.Vector(op.HiddenNorm), op.Eps, Out()) { Node = node },
            SelectLogitRowsOp => new CpuSelectLogitRows(In(0), Out()) { Node = node },
            _ => throw new NotSupportedException($"the CPU has no operation {node.Op.Name}"),
        };
    }

    private (PackedMatrix? Packed, WeightMatrix Stored) Half(WeightSpec weight)
        => _weights.Packed(weight) is { } packed ? (packed, default) : (null, _weights.Linear(weight));

    private PackedHeads Heads(PackedMatrix[] matrices)
    {
        var heads = new PackedHeads(_kernels!, matrices);
        _owned.Add(heads);
        return heads;
    }

    private (PackedMatrix? Packed, WeightMatrix Stored, int Rows) PackedPart(LinearPart part)
        => _weights.Packed(part.Weight) is { } packed ? (packed, default, part.Weight.Rows) : (null, _weights.Linear(part.Weight), part.Weight.Rows);

    /// <summary>Packed experts, where all gates and ups have one format and all downs have one.</summary>
    private PackedExpertWeights? PackedExperts(ExpertsOp op)
    {
        PackedMatrix?[] gate = [.. op.Gate.Select(_weights.Packed)];
        PackedMatrix?[] up = [.. op.Up.Select(_weights.Packed)];
        PackedMatrix?[] down = [.. op.Down.Select(_weights.Packed)];
        bool uniform = gate.Concat(up).All(m => m is not null && m.Format == gate[0]!.Format) && down.All(m => m is not null && m.Format == down[0]!.Format);
        return uniform ? new PackedExpertWeights(gate!, up!, down!) : null;
    }

    private WeightMatrix[] Parts(LinearOp op) => [.. op.Parts.Select(p => _weights.Linear(p.Weight))];

    private unsafe ReadOnlyMemoryF32 Bias(LinearOp op)
    {
        if (op.Parts.All(p => p.Bias is null))
        {
            return default;
        }

        if (op.Parts.Count == 1)
        {
            return _weights.Vector(op.Parts[0].Bias!);
        }

        // Parts without a bias get zeros.
        NativeBuffer joined = NativeBuffer.Of<float>(op.OutColumns);
        _owned.Add(joined);
        int at = 0;
        foreach (LinearPart part in op.Parts)
        {
            if (part.Bias is not null)
            {
                _weights.Vector(part.Bias).Span.CopyTo(joined.Span<float>()[at..]);
            }

            at += part.Weight.Rows;
        }

        return new ReadOnlyMemoryF32(joined.As<float>(), op.OutColumns);
    }

    private ExpertWeights Experts(ExpertsOp op)
        => new([.. op.Gate.Select(_weights.Linear)], [.. op.Up.Select(_weights.Linear)], [.. op.Down.Select(_weights.Linear)]);
}
