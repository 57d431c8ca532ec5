using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Kernels.Mla;

namespace Hadal.Models.Blocks;

/// <summary>Multi-head latent attention (arXiv:2405.04434, section 2.1): the cache holds one latent c and one rotated key a token, for all heads.</summary>
internal static class LatentAttention
{
    public static Value Build(ModelGraph g, Value x, Value rope, string name, int layer, ModelConfig config)
    {
        MlaConfig mla = config.Mla!;
        int heads = config.NumAttentionHeads;
        int d = config.HiddenSize;
        int c = mla.KvLoraRank;
        int r = mla.QkRopeHeadDim;
        var shape = new MlaShape(heads, c, r, mla.QkNopeHeadDim, mla.VHeadDim);

        WeightSpec W(string part, int n, int k) => WeightSpec.Matrix($"{name}.{part}.weight", n, k);
        WeightSpec? Bias(string part, int n, bool has) => has ? WeightSpec.Vector($"{name}.{part}.bias", n) : null;
        Value Norm(Value v, string part) => g.RmsNorm(v, WeightSpec.Vector($"{name}.{part}.weight", v.Columns), 1e-6f);

        Value q;
        if (mla.QLoraRank is { } rank)
        {
            Value qA = Norm(g.Linear(x, W("q_a_proj", rank, d), Bias("q_a_proj", rank, config.QkvBias)), "q_a_layernorm");   // [T, Cq]
            q = g.Linear(qA, W("q_b_proj", heads * mla.QkHeadDim, rank));            // [T, H·(Dn+R)]
        }
        else
        {
            q = g.Linear(x, W("q_proj", heads * mla.QkHeadDim, d));                  // [T, H·(Dn+R)]
        }

        Value kvA = g.Linear(x, W("kv_a_proj_with_mqa", c + r, d), Bias("kv_a_proj_with_mqa", c + r, config.QkvBias)); // [T, C+R]
        Value latent = Norm(g.Slice(kvA, 0, c), "kv_a_layernorm");                   // [T, C]
        Value kRope = g.Rope(g.Slice(kvA, c, r), rope, 1, 0, config.Rope.Interleaved); // [T, R]
        q = g.Rope(q, rope, heads, mla.QkNopeHeadDim, config.Rope.Interleaved);
        Value written = g.KvWrite(latent, kRope, layer);

        WeightSpec kvB = W("kv_b_proj", heads * (mla.QkNopeHeadDim + mla.VHeadDim), c);
        float scale = (float)(RopeFrequencies.YarnSoftmaxFactor(config.Rope) / Math.Sqrt(mla.QkHeadDim));
        Value o = g.MlaAttention(q, written, layer, kvB, shape, scale);              // [T, H·Dv]
        return g.Linear(o, W("o_proj", d, heads * mla.VHeadDim), Bias("o_proj", d, config.OutputBias)); // [T, D]
    }
}
