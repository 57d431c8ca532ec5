using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Models.Blocks;

namespace Hadal.Models;

/// <summary>Qwen2 and 2.5 (arXiv:2407.10671), and R1-Distill-Qwen: grouped-query attention with biases on q, k and v.</summary>
public sealed class Qwen2 : IModelFamily
{
    public string ModelType => "qwen2";

    public ModelGraph Build(ModelConfig config, bool keepHiddenStates = false)
        => Decoder.Build(config, config.HeadDim, keepHiddenStates, (g, h, rope, layer) =>
        {
            string name = $"model.layers.{layer}";
            int d = config.HiddenSize;

            Value x = g.RmsNorm(h, WeightSpec.Vector($"{name}.input_layernorm.weight", d), config.RmsNormEps);          // [T, D]
            h = g.Add(h, GroupedQueryAttention.Build(g, x, rope, $"{name}.self_attn", layer, config, qkNorm: false));
            x = g.RmsNorm(h, WeightSpec.Vector($"{name}.post_attention_layernorm.weight", d), config.RmsNormEps);       // [T, D]
            return g.Add(h, SwiGlu.Build(g, x, $"{name}.mlp", d, config.IntermediateSize, config.MlpBias));
        });
}
