using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Passes;

namespace Hadal.Models.Loading;

/// <summary>How a model is loaded.</summary>
public sealed record LoadOptions
{
    public FusionPlan Fusion { get; init; } = FusionPlan.Default;

    /// <summary>Used where <see cref="Cuda"/> is null.</summary>
    public CpuOptions Cpu { get; init; } = new();

    /// <summary>Run on an NVIDIA card, in this way; null for the CPU.</summary>
    public CudaOptions? Cuda { get; init; }

    /// <summary>Bytes of KV pages; null for a quarter of the memory this process may use (on a card: for nine tenths of what the weights leave), but no more than <see cref="MaxSequences"/> full contexts.</summary>
    public long? KvMemoryBytes { get; init; }

    /// <summary>Longest sequence; null for the model's own limit, or what the pages hold where that is less.</summary>
    public int? MaxContextLen { get; init; }

    /// <summary>Sequences that may run at once, for sizing the pages.</summary>
    public int MaxSequences { get; init; } = 64;

    /// <summary>Keep hidden states of every layer (tests, embeddings).</summary>
    public bool KeepHiddenStates { get; init; }
}
