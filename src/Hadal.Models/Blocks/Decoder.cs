using Hadal.Formats.Config;
using Hadal.Graph.Ir;

namespace Hadal.Models.Blocks;

/// <summary>What every decoder-only model here has around its layers: embedding, rotary table, final norm, head.</summary>
internal static class Decoder
{
    /// <param name="config">The model's sizes.</param>
    /// <param name="ropeDim">Rotated columns of a head.</param>
    /// <param name="keepHiddenStates">Also keep the residual stream after each layer.</param>
    /// <param name="layer">Builds one layer: (graph, h, rope table, index) → h.</param>
    public static ModelGraph Build(ModelConfig config, int ropeDim, bool keepHiddenStates, Func<ModelGraph, Value, Value, int, Value> layer)
    {
        var g = new ModelGraph { Scope = "embed" };
        int d = config.HiddenSize;
        var embedding = WeightSpec.Matrix("model.embed_tokens.weight", config.VocabSize, d);
        (float[] frequencies, float magnitude) = RopeFrequencies.Compute(config.Rope, ropeDim);

        Value h = g.Embed(embedding);                                     // [T, D]
        Value rope = g.RopeTable(frequencies, magnitude);                 // [T, R]
        Keep(0, h);
        for (int i = 0; i < config.NumHiddenLayers; i++)
        {
            g.Scope = $"layers.{i}";
            h = layer(g, h, rope, i);                                     // [T, D]
            if (i < config.NumHiddenLayers - 1)
            {
                Keep(i + 1, h);
            }
        }

        g.Scope = "head";
        h = g.RmsNorm(h, WeightSpec.Vector("model.norm.weight", d), config.RmsNormEps);
        Keep(config.NumHiddenLayers, h);
        // Nothing of T rows comes after it, so that keeping it costs no memory.
        g.Output(ModelGraph.Hidden, h);
        Value last = g.SelectLogitRows(h);                                // [L, D]
        g.Output("logits", g.Linear(last, config.TieWordEmbeddings        // [L, V]
            ? embedding
            : WeightSpec.Matrix("lm_head.weight", config.VocabSize, d)));
        return g;

        void Keep(int index, Value value)
        {
            if (keepHiddenStates)
            {
                g.Output($"hidden_states.{index}", value);
            }
        }
    }
}
