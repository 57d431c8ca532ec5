using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Models.Blocks;

namespace Hadal.Models;

/// <summary>Qwen3 (arXiv:2505.09388), and R1-0528-Qwen3-8B: no biases, norms on each head of q and k, heads wider than hidden / heads.</summary>
public sealed class Qwen3 : IModelFamily
{
    public string ModelType => "qwen3";

    public ModelGraph Build(ModelConfig config, bool keepHiddenStates = false)
        => Decoder.Build(config, config.HeadDim, keepHiddenStates, (g, h, rope, layer) =>
        {
            string name = $"model.layers.{layer}";
            int d = config.HiddenSize;

            Value x = g.RmsNorm(h, WeightSpec.Vector($"{name}.input_layernorm.weight", d), config.RmsNormEps);          // [T, D]
            h = g.Add(h, GroupedQueryAttention.Build(g, x, rope, $"{name}.self_attn", layer, config, qkNorm: true));
            x = g.RmsNorm(h, WeightSpec.Vector($"{name}.post_attention_layernorm.weight", d), config.RmsNormEps);       // [T, D]
            return g.Add(h, SwiGlu.Build(g, x, $"{name}.mlp", d, config.IntermediateSize, config.MlpBias));
        });
}
