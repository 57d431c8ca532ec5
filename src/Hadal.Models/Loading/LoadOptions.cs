using Hadal.Formats.Lora;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Passes;
using Hadal.Jit;

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

    /// <summary>KV pages, exactly: for a draft model, which is given the block tables of another. Null: as memory and sequences say.</summary>
    public int? NumBlocks { get; init; }

    /// <summary>Workers of another model on the CPU, to run on those: two models that take turns must not keep each other's processors busy. Null for workers of its own.</summary>
    public WorkerPool? SharedPool { get; init; }

    /// <summary>Longest sequence; null for the model's own limit, or what the pages hold where that is less.</summary>
    public int? MaxContextLen { get; init; }

    /// <summary>Sequences that may run at once, for sizing the pages.</summary>
    public int MaxSequences { get; init; } = 64;

    /// <summary>LoRA adapters that requests may ask for. Read while loading only: they may be disposed afterwards.</summary>
    public IReadOnlyList<LoraFile> Adapters { get; init; } = [];

    /// <summary>Load the multi-token-prediction layer to be run, for speculation. On the CPU; an error where the checkpoint has none.</summary>
    public bool Mtp { get; init; }

    /// <summary>Keep hidden states of every layer (tests, embeddings).</summary>
    public bool KeepHiddenStates { get; init; }
}
