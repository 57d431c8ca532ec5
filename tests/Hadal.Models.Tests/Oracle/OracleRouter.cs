namespace Hadal.Models.Tests.Oracle;

/// <summary>Which experts a token uses, and with which weights (arXiv:2405.04434, section 2.2; arXiv:2412.19437, section 2.1.2).</summary>
internal sealed class OracleRouter(OracleConfig config, OracleTensors tensors, string name)
{
    private readonly double[][] _weight = tensors.Matrix($"{name}.gate.weight");
    private readonly double[]? _bias = config.IsV3 ? tensors.Vector($"{name}.gate.e_score_correction_bias") : null;

    /// <summary>The narrowest decision so far between what was chosen and what was not: below the rounding of float32 another choice would be as right.</summary>
    public double Margin { get; private set; } = double.PositiveInfinity;

    public bool HasBias => _bias is not null;

    /// <summary>Tokens whose experts would have been others without the correction bias.</summary>
    public int ChangedByBias { get; private set; }

    public (int Expert, double Weight)[] Forward(double[] x)
    {
        double[] logits = OracleMath.Linear(x, _weight);
        double[] scores = config.IsV3 ? [.. logits.Select(l => 1 / (1 + Math.Exp(-l)))] : OracleMath.Softmax(logits);
        double[] choice = _bias is null ? scores : OracleMath.Add(scores, _bias);
        int[] chosen = Choose(choice, measure: true);
        if (_bias is not null && !Choose(scores, measure: false).ToHashSet().SetEquals(chosen))
        {
            ChangedByBias++;
        }

        // V2 in transformers never normalises, whatever norm_topk_prob says.
        double sum = config.IsV3 && config.FlagOr("norm_topk_prob", true) ? chosen.Sum(e => scores[e]) : 1;
        double factor = config.NumberOr("routed_scaling_factor", config.IsV3 ? 2.5 : 1);
        return [.. chosen.Select(e => (e, scores[e] / sum * factor))];
    }

    private int[] Choose(double[] choice, bool measure)
    {
        int groups = Groups;
        int perGroup = choice.Length / groups;
        int best = config.IsV3 ? 2 : 1;
        double[] groupScores = [.. choice.Chunk(perGroup).Select(g => g.OrderDescending().Take(best).Sum())];
        int[] kept = Top(groupScores, groups == 1 ? 1 : config.IntOr("topk_group", 4), measure);
        double[] eligible = [.. choice.Select((c, e) => kept.Contains(e / perGroup) ? c : double.NegativeInfinity)];
        return Top(eligible, config.Int("num_experts_per_tok"), measure);
    }

    private int Groups => config.IsV3
        ? config.IntOr("n_group", 8)
        : config.TextOr("topk_method", "greedy") == "group_limited_greedy" ? config.Int("n_group") : 1;

    private int[] Top(double[] values, int count, bool measure)
    {
        int[] order = [.. Enumerable.Range(0, values.Length).OrderByDescending(i => values[i])];
        if (measure && count < order.Length)
        {
            Margin = Math.Min(Margin, values[order[count - 1]] - values[order[count]]);
        }

        return order[..count];
    }
}
