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
