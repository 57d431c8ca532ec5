using Hadal.Formats.Config;
using Hadal.Formats.Lora;
using Hadal.Graph.Adapters;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Numerics;

namespace Hadal.Models.Loading;

/// <summary>Fits LoRA adapters to a model: every pair to a weight of the graph, by name and shape. What no operation can take a pair beside is refused by name.</summary>
internal static class AdapterLoader
{
    /// <summary>Whether an adapter's pairs come before the activation that the pass gate-up would hide inside one operation.</summary>
    public static bool NeedsGateAndUpApart(IEnumerable<LoraFile> files)
        => files.Any(f => f.Modules.Any(m => m.Name.EndsWith(".gate_proj", StringComparison.Ordinal) || m.Name.EndsWith(".up_proj", StringComparison.Ordinal)));

    public static IReadOnlyList<LoraAdapter> Fit(IReadOnlyList<LoraFile> files, ModelGraph graph, ModelConfig config)
    {
        if (files.GroupBy(f => f.Name, StringComparer.Ordinal).FirstOrDefault(g => g.Count() > 1) is { } twice)
        {
            throw new HadalException($"Two adapters have the name '{twice.Key}' ({string.Join(", ", twice.Select(f => f.Path))}); each needs one of its own.");
        }

        Dictionary<string, Node[]> readers = graph.Nodes.SelectMany(n => n.Op.Weights.Select(w => (w.Name, Node: n))).GroupBy(p => p.Name, p => p.Node, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);
        return [.. files.Select(f => new LoraAdapter(f.Name, f.Modules.ToDictionary(m => m.Name + ".weight", m => Fit(f, m, readers, config), StringComparer.Ordinal)))];
    }

    private static LoraPair Fit(LoraFile file, LoraModule module, Dictionary<string, Node[]> readers, ModelConfig config)
    {
        string name = module.Name + ".weight";
        if (!readers.TryGetValue(name, out Node[]? nodes))
        {
            throw new HadalException($"{file.Path}: changes {module.Name}, which this {config.ModelType} model of {config.NumHiddenLayers} layers does not have or does not run. Is the adapter for another base model?");
        }

        foreach (Node node in nodes)
        {
            if (Refusal(node, name) is { } why)
            {
                throw new HadalException($"{file.Path}: changes {module.Name}: {why}. Adapters may change q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, q_a_proj, q_b_proj, kv_a_proj_with_mqa and kv_b_proj, routed experts aside.");
            }
        }

        WeightSpec spec = nodes[0].Op.Weights.First(w => w.Name == name);
        return module.A.Shape[1] == spec.Columns && module.B.Shape[0] == spec.Rows
            ? new LoraPair(module.A, module.B, module.Scale, RowOrder(module.Name, config))
            : throw new HadalException($"{module.A.Origin}: {module.Name} has lora_A [{string.Join(", ", module.A.Shape)}] and lora_B [{string.Join(", ", module.B.Shape)}]; the model's matrix is [{spec.Rows}, {spec.Columns}], so that [r, {spec.Columns}] and [{spec.Rows}, r] are expected. Is the adapter for another base model?");
    }

    private static string? Refusal(Node node, string weight) => node.Op switch
    {
        LinearOp when node.Output.Rows == RowSymbol.LogitRows => "adapters of the head are not supported",
        LinearOp linear when linear.Parts.Any(p => p.Weight.Name == weight && p.Weight.KeepPrecision) => "adapters of routers are not supported",
        LinearOp or MlaAbsorbQueryOp or MlaExpandValueOp => null,
        MlaAttentionOp => "a pair beside kv_b_proj needs absorbed attention (the pass mla-absorption)",
        GateUpOp => "a pair beside it needs the pass gate-up left out",
        ExpertsOp => "adapters of routed experts are not supported",
        EmbedOp => "adapters of embeddings are not supported",
        _ => $"{node.Op.Name} takes no pair beside it",
    };

    // llama.cpp's converter reorders the rows of Llama's q and k so that rotated pairs are neighbours: row h·D + 2j + s was row h·D + s·D/2 + j.
    private static int[]? RowOrder(string module, ModelConfig config)
    {
        int heads = module.EndsWith(".q_proj", StringComparison.Ordinal) ? config.NumAttentionHeads : module.EndsWith(".k_proj", StringComparison.Ordinal) ? config.NumKeyValueHeads : 0;
        if (heads == 0 || config.ModelType != "llama" || !config.Rope.Interleaved)
        {
            return null;
        }

        int d = config.HeadDim;
        return [.. Enumerable.Range(0, heads * d).Select(n => (n / d * d) + (n % d % 2 * (d / 2)) + (n % d / 2))];
    }
}
