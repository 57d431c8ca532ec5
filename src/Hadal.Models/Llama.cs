using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Models.Blocks;

namespace Hadal.Models;

/// <summary>Llama 2 and 3 (arXiv:2307.09288, 2407.21783), and the DeepSeek models built like it: R1-Distill-Llama, DeepSeek LLM, DeepSeek Coder.</summary>
public sealed class Llama : IModelFamily
{
    public string ModelType => "llama";

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
