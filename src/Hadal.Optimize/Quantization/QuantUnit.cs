using Hadal.Graph.Ir;

namespace Hadal.Optimize.Quantization;

/// <summary>
/// Matrices that get one format: those that read the same input and that engines join into one (q·k·v, gate·up, q_a·kv_a), and the experts of a layer.
/// </summary>
/// <param name="Name">For people and recipes: <c>model.layers.3.mlp.experts.*.gate_proj+up_proj</c>.</param>
/// <param name="Layer">Layer, or -1 for the head.</param>
/// <param name="Role">The name without the layer.</param>
/// <param name="Weights">The matrices.</param>
/// <param name="ActiveShare">Of their bytes, the share that decoding one token reads: of experts those that it is routed to.</param>
public sealed record QuantUnit(string Name, int Layer, string Role, IReadOnlyList<WeightSpec> Weights, double ActiveShare)
{
    public long NumElements => Weights.Sum(w => w.NumElements);

    /// <summary>The layer is one of the trunk's: text goes through it when the model is run here.</summary>
    public bool InTrunk { get; init; } = true;
}
