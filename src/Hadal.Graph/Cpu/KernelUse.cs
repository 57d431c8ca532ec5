using Hadal.Graph.Ir;
using Hadal.Kernels.Attention.Emitted;
using Hadal.Kernels.Packed;

namespace Hadal.Graph.Cpu;

/// <summary>Matrices of one node that are alike, and the emitted kernels they are multiplied by.</summary>
/// <param name="Node">The operation.</param>
/// <param name="Weight">The first of the matrices.</param>
/// <param name="Count">How many there are: the routed experts of a layer, or 1.</param>
/// <param name="Kind">How they are packed, or null where they are computed with as stored and nothing is emitted.</param>
public sealed record KernelUse(Node Node, WeightSpec Weight, int Count, PackedKind? Kind)
{
    /// <summary>The shape that attention is emitted for; null for products with weights.</summary>
    public AttentionKernelShape? Attention { get; init; }

    /// <summary>Panels of 16 rows that kernels take at once: as many as fit, and for the last rows what is left.</summary>
    public IEnumerable<int> Panels
    {
        get
        {
            int panels = (Weight.Rows + PackedFormat.PanelRows - 1) / PackedFormat.PanelRows;
            if (panels >= PackedFormat.MaxPanels)
            {
                yield return PackedFormat.MaxPanels;
            }

            if (panels % PackedFormat.MaxPanels != 0)
            {
                yield return panels % PackedFormat.MaxPanels;
            }
        }
    }

    /// <summary>Tokens that a kernel takes at the most; steps of more go in tiles of so many and one of the rest.</summary>
    public int MaxTokens => Kind is { } kind ? PackedFormat.Of(kind).MaxTokens : 0;
}
