using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Kernels.Moe;

namespace Hadal.Models.Blocks;

/// <summary>shared(x) + Σ over the chosen experts of weight · expert(x) (arXiv:2401.06066).</summary>
internal static class DeepSeekMoe
{
    public static Value Build(ModelGraph g, Value x, string name, ModelConfig config)
    {
        MoeConfig moe = config.Moe!;
        int d = config.HiddenSize;
        int inner = moe.MoeIntermediateSize;

        WeightSpec[] Experts(string part, int n, int k)
            => [.. Enumerable.Range(0, moe.NumRoutedExperts).Select(e => WeightSpec.Matrix($"{name}.experts.{e}.{part}.weight", n, k))];

        Value? shared = moe.NumSharedExperts > 0
            ? SwiGlu.Build(g, x, $"{name}.shared_experts", d, inner * moe.NumSharedExperts)               // [T, D]
            : null;

        // A flipped choice of expert costs more than the router's few bytes.
        var gate = WeightSpec.Matrix($"{name}.gate.weight", moe.NumRoutedExperts, d) with { KeepPrecision = true };
        WeightSpec? bias = moe.TopkMethod == TopkMethod.NoauxTc
            ? WeightSpec.Vector($"{name}.gate.e_score_correction_bias", moe.NumRoutedExperts)
            : null;
        (Value ids, Value weights) = g.Router(g.Linear(x, gate), bias, Router(moe));                      // [T, k]

        Value routed = g.Experts(x, ids, weights, Experts("gate_proj", inner, d), Experts("up_proj", inner, d), Experts("down_proj", d, inner)); // [T, D]
        return shared is null ? routed : g.Add(shared, routed);
    }

    private static RouterConfig Router(MoeConfig moe) => new(
        NumExperts: moe.NumRoutedExperts,
        TopK: moe.NumExpertsPerTok,
        Sigmoid: moe.ScoringFunc == ScoringFunc.Sigmoid,
        NumGroups: moe.TopkMethod == TopkMethod.Greedy ? 1 : moe.NumGroups,
        TopkGroup: moe.TopkMethod == TopkMethod.Greedy ? 1 : moe.TopkGroup,
        GroupScoreTopTwo: moe.TopkMethod == TopkMethod.NoauxTc,
        NormTopkProb: moe.NormTopkProb,
        ScalingFactor: moe.RoutedScalingFactor);
}
