using System.Globalization;
using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Passes;
using Hadal.Models;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>The units of a model, from its graph: routers, norms, embeddings and correction biases are in none.</summary>
public static class QuantUnits
{
    private const string LayerPrefix = "model.layers.";

    /// <param name="config">The model.</param>
    /// <param name="source">Its tensors, asked only whether multi-token-prediction layers are there.</param>
    public static IReadOnlyList<QuantUnit> Of(ModelConfig config, ITensorSource source)
    {
        ModelGraph graph = ModelLoader.BuildGraph(config, FusionPlan.None).Graph;
        var units = new List<QuantUnit>();
        var roleOf = new Dictionary<string, string>(StringComparer.Ordinal);
        var joined = new HashSet<Value>();
        foreach (Node node in graph.Nodes)
        {
            switch (node.Op)
            {
                case LinearOp when node.Output.Rows == RowSymbol.LogitRows:
                    WeightSpec head = node.Op.Weights.First();
                    if (!config.TieWordEmbeddings)
                    {
                        units.Add(new QuantUnit(Stem(head.Name), -1, Stem(head.Name), [head], 1));
                    }

                    break;
                case LinearOp when joined.Add(node.Inputs[0]):
                    // A router reads the same input and is none of them; so does nothing else.
                    Add([.. graph.Nodes.Where(n => n.Op is LinearOp && ReferenceEquals(n.Inputs[0], node.Inputs[0])).SelectMany(n => ((LinearOp)n.Op).Parts.Select(p => p.Weight)).Where(w => !w.KeepPrecision)], 1);
                    break;
                case MlaAttentionOp attention:
                    Add([attention.KvB], 1);
                    break;
                case ExpertsOp experts:
                    double active = config.Moe!.NumExpertsPerTok / (double)config.Moe.NumRoutedExperts;
                    Add([.. experts.Gate, .. experts.Up], active);
                    Add(experts.Down, active);
                    break;
            }
        }

        IReadOnlyList<WeightSpec> mtp = ModelCatalog.Find(config).MtpWeights(config);
        if (mtp.Count > 0 && source.TryGet(mtp[0].Name, out _))
        {
            // A prediction layer holds a layer like the trunk's: its matrices of the same names.
            foreach (IGrouping<(int Layer, string Role), WeightSpec> group in mtp
                .Where(w => !w.IsVector && !w.KeepPrecision && Split(w.Name) is { } s && roleOf.ContainsKey(s.Path))
                .GroupBy(w => (Split(w.Name)!.Value.Layer, roleOf[Split(w.Name)!.Value.Path])))
            {
                units.Add(new QuantUnit($"{LayerPrefix}{group.Key.Layer}.{group.Key.Role}", group.Key.Layer, group.Key.Role, [.. group], 0) { InTrunk = false });
            }
        }

        return units;

        void Add(IReadOnlyList<WeightSpec> weights, double activeShare)
        {
            if (weights.Count == 0)
            {
                return;
            }

            (int Layer, string Path)[] parts = [.. weights.Select(w => Split(w.Name) ?? throw new NotSupportedException($"{w.Name} is in no layer"))];
            string[] rests = [.. parts.Select(p => p.Path).Distinct(StringComparer.Ordinal)];
            string prefix = rests[0][..(rests[0].LastIndexOf('.') + 1)];
            string role = prefix + string.Join('+', rests.Select(r => r[prefix.Length..]));
            foreach (string rest in rests)
            {
                roleOf[rest] = role;
            }

            units.Add(new QuantUnit($"{LayerPrefix}{parts[0].Layer}.{role}", parts[0].Layer, role, weights, activeShare));
        }
    }

    /// <summary>model.layers.3.mlp.experts.7.up_proj.weight → 3, mlp.experts.*.up_proj</summary>
    private static (int Layer, string Path)? Split(string name)
    {
        if (!name.StartsWith(LayerPrefix, StringComparison.Ordinal))
        {
            return null;
        }

        string[] parts = Stem(name)[LayerPrefix.Length..].Split('.');
        if (!int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
        {
            return null;
        }

        return (layer, string.Join('.', parts.Skip(1).Select(p => int.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out _) ? "*" : p)));
    }

    internal static string Stem(string name) => name.EndsWith(".weight", StringComparison.Ordinal) ? name[..^".weight".Length] : name;
}
