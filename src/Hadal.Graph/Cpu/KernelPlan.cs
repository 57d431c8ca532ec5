using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Jit;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>Which emitted kernels a program will run, known from shapes and types alone: no weight is read.</summary>
public static class KernelPlan
{
    /// <summary>What linear operations, experts and latent attention run on, in the order of the program.</summary>
    /// <param name="graph">The model, passes applied.</param>
    /// <param name="source">Its weights.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="features">What the processor offers to emitted code.</param>
    /// <param name="options">As for <see cref="CpuCompiler"/>.</param>
    /// <exception cref="HadalException">A weight is missing or wrong.</exception>
    public static IReadOnlyList<KernelUse> Of(ModelGraph graph, ITensorSource source, (int Rows, int Columns)? fp8Block, CpuFeatures features, CpuOptions options)
    {
        var stored = new StoredWeights(source, fp8Block);
        using PackedKernels? kernels = options.Pack ? new PackedKernels(features) : null;
        List<KernelUse> uses = [];
        foreach (Node node in graph.Nodes)
        {
            if (node.Op is LinearOp linear)
            {
                uses.AddRange(linear.Parts.Select(p => new KernelUse(node, p.Weight, 1, Kind(p.Weight))));
            }
            else if (node.Op is GateUpOp gateUp)
            {
                uses.AddRange(gateUp.Weights.Select(w => new KernelUse(node, w, 1, Kind(w))));
            }
            else if (node.Op is ExpertsOp experts)
            {
                bool packed = PacksExperts(experts, Kind);
                uses.Add(new KernelUse(node, experts.Gate[0], experts.Gate.Count, packed ? Kind(experts.Gate[0]) : null));
                uses.Add(new KernelUse(node, experts.Up[0], experts.Up.Count, packed ? Kind(experts.Up[0]) : null));
                uses.Add(new KernelUse(node, experts.Down[0], experts.Down.Count, packed ? Kind(experts.Down[0]) : null));
            }
            else if (node.Op is MlaAbsorbQueryOp absorb)
            {
                PackedKind? kind = HeadKindOf(Describe(absorb.KvB), kernels) is null ? null : PackedKind.Bf16;
                uses.Add(new KernelUse(node, WeightSpec.Matrix(absorb.KvB.Name, absorb.Shape.KvLoraRank, absorb.Shape.QkNopeHeadDim), absorb.Shape.NumHeads, kind));
            }
            else if (node.Op is MlaExpandValueOp expand)
            {
                WeightMatrix matrix = Describe(expand.KvB);
                PackedKind? kind = HeadKindOf(matrix, kernels) is { } k ? LatentHeadPacker.KindOfValues(matrix, k, expand.Shape) : null;
                uses.Add(new KernelUse(node, WeightSpec.Matrix(expand.KvB.Name, expand.Shape.VHeadDim, expand.Shape.KvLoraRank), expand.Shape.NumHeads, kind));
            }
            else if (Attention(node) is (int layer, AttentionKernelShape shape) && options.KvDType == DType.Bf16 && kernels?.Attention(shape) is not null)
            {
                uses.Add(new KernelUse(node, WeightSpec.Matrix($"KV pages of layer {layer}", shape.NumHeads, shape.KeyDim), 1, null) { Attention = shape });
            }
        }

        return uses;

        WeightMatrix Describe(WeightSpec spec) => stored.Describe(spec, stored.Find(spec), out _);

        PackedKind? Kind(WeightSpec spec) => KindOf(spec, Describe(spec), kernels, options);
    }

    private static (int Layer, AttentionKernelShape Shape)? Attention(Node node) => node.Op switch
    {
        AttentionOp op => (op.Layer, AttentionKernelShape.GroupedQuery(op.NumHeads, op.NumKvHeads, node.Inputs[0].Columns / op.NumHeads)),
        MlaLatentAttentionOp op => (op.Layer, AttentionKernelShape.Latent(op.Shape)),
        _ => null,
    };

    /// <summary>How a matrix is packed, or null where it is computed with as it lies.</summary>
    internal static PackedKind? KindOf(WeightSpec spec, in WeightMatrix matrix, PackedKernels? kernels, CpuOptions options)
    {
        if (kernels is null || spec.KeepPrecision)
        {
            return null;
        }

        PackedKind? kind = options.Weights == WeightConversion.Int8 ? PackedKind.Int8 : WeightPacker.KindFor(matrix);
        return kind is { } k && kernels.Supports(k) ? kind : null;
    }

    /// <summary>The kind of a latent up-projection that is packed by head, or null where it is computed with as it lies.</summary>
    internal static PackedKind? HeadKindOf(in WeightMatrix kvB, PackedKernels? kernels)
        => kernels is not null && kernels.Supports(PackedKind.Bf16) && WeightPacker.KindFor(kvB) is { } kind && kernels.Supports(kind) ? kind : null;

    /// <summary>Grouped experts run packed where all gates and ups have one kind and all downs have one; all others run as stored.</summary>
    internal static bool PacksExperts(ExpertsOp op, Func<WeightSpec, PackedKind?> kind)
        => op.Grouped && IsUniform([.. op.Gate.Concat(op.Up).Select(kind).Distinct()]) && IsUniform([.. op.Down.Select(kind).Distinct()]);

    private static bool IsUniform(PackedKind?[] distinct) => distinct is [not null];
}
