using Hadal.Formats.Config;
using Hadal.Graph.Ir;

namespace Hadal.Models.Blocks;

/// <summary>Grouped-query attention (arXiv:2305.13245) with rotary embeddings, with or without biases and q/k norms.</summary>
internal static class GroupedQueryAttention
{
    public static Value Build(ModelGraph g, Value x, Value rope, string name, int layer, ModelConfig c, bool qkNorm)
    {
        int qWidth = c.NumAttentionHeads * c.HeadDim;
        int kvWidth = c.NumKeyValueHeads * c.HeadDim;

        WeightSpec W(string part, int n, int k) => WeightSpec.Matrix($"{name}.{part}.weight", n, k);
        WeightSpec? B(string part, int n, bool present) => present ? WeightSpec.Vector($"{name}.{part}.bias", n) : null;

        Value q = g.Linear(x, W("q_proj", qWidth, c.HiddenSize), B("q_proj", qWidth, c.QkvBias));    // [T, H·D]
        Value k = g.Linear(x, W("k_proj", kvWidth, c.HiddenSize), B("k_proj", kvWidth, c.QkvBias));  // [T, HKv·D]
        Value v = g.Linear(x, W("v_proj", kvWidth, c.HiddenSize), B("v_proj", kvWidth, c.QkvBias));  // [T, HKv·D]
        if (qkNorm)
        {
            q = g.RmsNorm(q, WeightSpec.Vector($"{name}.q_norm.weight", c.HeadDim), c.RmsNormEps);   // per head
            k = g.RmsNorm(k, WeightSpec.Vector($"{name}.k_norm.weight", c.HeadDim), c.RmsNormEps);
        }

        q = g.Rope(q, rope, c.NumAttentionHeads, 0, c.Rope.Interleaved);
        k = g.Rope(k, rope, c.NumKeyValueHeads, 0, c.Rope.Interleaved);
        Value written = g.KvWrite(k, v, layer);
        Value o = g.Attention(q, written, layer, c.NumAttentionHeads, c.NumKeyValueHeads, 1 / MathF.Sqrt(c.HeadDim)); // [T, H·D]
        return g.Linear(o, W("o_proj", c.HiddenSize, qWidth), B("o_proj", c.HiddenSize, c.OutputBias));               // [T, D]
    }
}
