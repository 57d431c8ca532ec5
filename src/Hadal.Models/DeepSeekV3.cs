using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Models.Blocks;

namespace Hadal.Models;

/// <summary>
/// DeepSeek-V3, V3.1 and R1 (arXiv:2412.19437): V2's trunk with a sigmoid router whose choice is balanced by a correction bias instead of a loss,
/// and multi-token-prediction layers behind it. The trunk is the same; what differs is in <see cref="MoeConfig"/>.
/// </summary>
public sealed class DeepSeekV3 : IModelFamily
{
    public string ModelType => "deepseek_v3";

    public ModelGraph Build(ModelConfig config, bool keepHiddenStates = false) => DeepSeekTrunk.Build(config, keepHiddenStates);

    /// <summary>
    /// The hidden state that goes in is the trunk's after its final norm. So the one that comes out, for a further token by the same layer, is h' after the
    /// head's norm: both are what one head reads.
    /// </summary>
    public ModelGraph? BuildMtp(ModelConfig config)
    {
        if (config.NumNextnPredictLayers == 0)
        {
            return null;
        }

        int d = config.HiddenSize;
        int layer = config.NumHiddenLayers;
        string name = $"model.layers.{layer}";
        var g = new ModelGraph { Scope = "mtp.0" };
        (float[] frequencies, float magnitude) = RopeFrequencies.Compute(config.Rope, config.Mla!.QkRopeHeadDim);

        Value embedded = g.Embed(WeightSpec.Matrix($"{name}.embed_tokens.weight", config.VocabSize, d));               // [T, D]
        Value joined = g.MtpJoin(embedded, g.PreviousHidden(d), Norm("enorm"), Norm("hnorm"), config.RmsNormEps);     // [T, 2·D]
        Value h = g.Linear(joined, WeightSpec.Matrix($"{name}.eh_proj.weight", d, 2 * d));                            // [T, D]
        h = DeepSeekTrunk.Layer(g, h, g.RopeTable(frequencies, magnitude), config, layer, kvLayer: 0);                // [T, D]
        Value last = g.SelectLogitRows(h);                                                                            // [L, D]
        Value normed = g.RmsNorm(last, Norm("shared_head.norm"), config.RmsNormEps);
        g.Output("hidden", normed);
        g.Output("logits", g.Linear(normed, WeightSpec.Matrix($"{name}.shared_head.head.weight", config.VocabSize, d))); // [L, V]
        return g;

        WeightSpec Norm(string part) => WeightSpec.Vector($"{name}.{part}.weight", d);
    }

    /// <summary>h' = layer(eh_proj([enorm(embed(next)) ; hnorm(h)])), logits = head(norm(h')): section 2.2, under the checkpoint's names.</summary>
    public IReadOnlyList<WeightSpec> MtpWeights(ModelConfig config)
    {
        var specs = new List<WeightSpec>();
        int d = config.HiddenSize;
        for (int i = 0; i < config.NumNextnPredictLayers; i++)
        {
            int layer = config.NumHiddenLayers + i;
            string name = $"model.layers.{layer}";
            specs.Add(WeightSpec.Matrix($"{name}.embed_tokens.weight", config.VocabSize, d));
            specs.Add(WeightSpec.Vector($"{name}.enorm.weight", d));
            specs.Add(WeightSpec.Vector($"{name}.hnorm.weight", d));
            specs.Add(WeightSpec.Matrix($"{name}.eh_proj.weight", d, 2 * d));
            specs.Add(WeightSpec.Vector($"{name}.shared_head.norm.weight", d));
            specs.Add(WeightSpec.Matrix($"{name}.shared_head.head.weight", config.VocabSize, d));

            var g = new ModelGraph { Scope = $"mtp.{i}" };
            Value h = g.NewInput(d);
            Value rope = g.RopeTable(new float[config.Mla!.QkRopeHeadDim / 2], 1);
            DeepSeekTrunk.Layer(g, h, rope, config, layer, kvLayer: 0);
            specs.AddRange(g.Weights);
        }

        return specs;
    }
}
