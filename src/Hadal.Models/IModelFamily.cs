using Hadal.Formats.Config;
using Hadal.Graph.Ir;

namespace Hadal.Models;

/// <summary>One architecture: how its configuration becomes a graph, with the checkpoint's own names on the weights.</summary>
public interface IModelFamily
{
    /// <summary><c>model_type</c> in config.json.</summary>
    string ModelType { get; }

    /// <summary>Builds the trunk: tokens in, output <c>logits</c> [L, V] out.</summary>
    /// <param name="config">The model's sizes.</param>
    /// <param name="keepHiddenStates">Also keep <c>hidden_states.i</c> after i layers (0: embeddings; the last one after the final norm).</param>
    ModelGraph Build(ModelConfig config, bool keepHiddenStates = false);

    /// <summary>Weights of the multi-token-prediction layers; empty where the family has none.</summary>
    IReadOnlyList<WeightSpec> MtpWeights(ModelConfig config) => [];

    /// <summary>
    /// Builds the first multi-token-prediction layer: tokens and <c>previous_hidden</c> in; <c>logits</c> [L, V] of the token after the next, and the layer's
    /// own <c>hidden</c> [L, D] out. Null where the family or the model has none.
    /// </summary>
    ModelGraph? BuildMtp(ModelConfig config) => null;
}
