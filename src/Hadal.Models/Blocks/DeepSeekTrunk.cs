using Hadal.Formats.Config;
using Hadal.Graph.Ir;

namespace Hadal.Models.Blocks;

/// <summary>The trunk that V2 and V3 share: pre-norm layers of latent attention, the first ones with a dense feed-forward, the others with experts.</summary>
internal static class DeepSeekTrunk
{
    public static ModelGraph Build(ModelConfig config, bool keepHiddenStates)
        => Decoder.Build(config, config.Mla!.QkRopeHeadDim, keepHiddenStates, (g, h, rope, layer) => Layer(g, h, rope, config, layer, layer));

    /// <summary>h + attention(norm(h)), then h + feedForward(norm(h)).</summary>
    /// <param name="kvLayer">Which pages it writes.</param>
    public static Value Layer(ModelGraph g, Value h, Value rope, ModelConfig config, int layer, int kvLayer)
    {
        string name = $"model.layers.{layer}";
        int d = config.HiddenSize;

        Value x = g.RmsNorm(h, WeightSpec.Vector($"{name}.input_layernorm.weight", d), config.RmsNormEps);           // [T, D]
        h = g.Add(h, LatentAttention.Build(g, x, rope, $"{name}.self_attn", kvLayer, config));
        x = g.RmsNorm(h, WeightSpec.Vector($"{name}.post_attention_layernorm.weight", d), config.RmsNormEps);        // [T, D]
        return g.Add(h, config.Moe is { } moe && moe.IsMoeLayer(layer)
            ? DeepSeekMoe.Build(g, x, $"{name}.mlp", config)
            : SwiGlu.Build(g, x, $"{name}.mlp", d, config.IntermediateSize));
    }
}
