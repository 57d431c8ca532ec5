using Hadal.Numerics;

namespace Hadal.Formats.Config;

/// <summary>What must hold between the values of a configuration, wherever it was read from. Names are those of config.json.</summary>
internal static class ModelConfigRules
{
    public static void Check(ModelConfig c, string file)
    {
        if (c.Mla is null)
        {
            Require(c.NumAttentionHeads % c.NumKeyValueHeads == 0, file, "num_attention_heads", c.NumAttentionHeads, $"a multiple of num_key_value_heads ({c.NumKeyValueHeads})");
            Require(c.HeadDim % 2 == 0, file, "head_dim", c.HeadDim, "an even number: rotary position embedding works on pairs");
        }
        else
        {
            Require(c.NumKeyValueHeads == c.NumAttentionHeads, file, "num_key_value_heads", c.NumKeyValueHeads, $"num_attention_heads ({c.NumAttentionHeads}): latent attention has a key and a value for every head");
            Require(c.Mla.QkRopeHeadDim % 2 == 0, file, "qk_rope_head_dim", c.Mla.QkRopeHeadDim, "an even number: rotary position embedding works on pairs");
        }

        long qWidth = (long)c.NumAttentionHeads * (c.Mla?.QkHeadDim ?? c.HeadDim);
        Require(qWidth <= 1 << 24, file, "num_attention_heads", c.NumAttentionHeads, $"heads times head width to be at most {1 << 24}, found {qWidth}");
        if (c.Mla is { } mla)
        {
            long kvWidth = (long)c.NumAttentionHeads * (mla.QkNopeHeadDim + mla.VHeadDim);
            Require(kvWidth <= 1 << 24, file, "v_head_dim", mla.VHeadDim, $"heads times (qk_nope_head_dim + v_head_dim) to be at most {1 << 24}, found {kvWidth}");
        }

        Require(c.Rope.Type == RopeType.Default || c.Rope.OriginalMaxPositionEmbeddings > 0, file, "original_max_position_embeddings", c.Rope.OriginalMaxPositionEmbeddings, "a positive number");
        if (c.Moe is not { } m)
        {
            return;
        }

        Require(m.NumRoutedExperts % m.NumGroups == 0, file, "n_routed_experts", m.NumRoutedExperts, $"a multiple of n_group ({m.NumGroups})");
        Require(m.TopkGroup <= m.NumGroups, file, "topk_group", m.TopkGroup, $"at most n_group ({m.NumGroups})");
        int reachable = m.NumRoutedExperts / m.NumGroups * m.TopkGroup;
        Require(m.NumExpertsPerTok <= reachable, file, "num_experts_per_tok", m.NumExpertsPerTok, $"at most {reachable}, the experts that {m.TopkGroup} of {m.NumGroups} groups hold");
        // Groups are ranked by the sum of their two best.
        Require(m.TopkMethod != TopkMethod.NoauxTc || m.NumGroups == 1 || m.NumRoutedExperts / m.NumGroups >= 2, file, "n_group", m.NumGroups, $"at least two experts in each group of n_routed_experts ({m.NumRoutedExperts})");
        long shared = (long)m.NumSharedExperts * m.MoeIntermediateSize;
        Require(shared <= 1 << 24, file, "n_shared_experts", m.NumSharedExperts, $"times moe_intermediate_size to be at most {1 << 24}, found {shared}");
    }

    private static void Require(bool holds, string file, string key, int found, string expected)
    {
        if (!holds)
        {
            throw new HadalException($"{file}: '{key}' is {found}; expected {expected}");
        }
    }
}
