using Hadal.Graph.Adapters;
using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>How a graph is compiled for and run on the CPU.</summary>
public sealed record CpuOptions
{
    /// <summary>Workers; 0 for one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Whether workers stay on the processors of their memory node.</summary>
    public ThreadPinning Pinning { get; init; }

    public WeightConversion Weights { get; init; } = WeightConversion.AsStored;

    /// <summary>F32, or Bf16: every operation's result is rounded to bf16, as a bf16 pipeline stores it; sums stay f32.</summary>
    public DType ActivationDType { get; init; } = DType.F32;

    /// <summary>
    /// Weights are packed while loading for kernels that are emitted for this machine; they round activations as <see cref="Kernels.Packed.PackedKind"/> says.
    /// Off, or where the machine has no such instructions, weights are computed with as they lie and activations stay f32.
    /// </summary>
    public bool Pack { get; init; }

    /// <summary>
    /// Folder that keeps packed weights, by a hash of their stored bytes: a later load reads them instead of packing again. Null for none. Grows with every
    /// model and type; files may be deleted at any time. Whoever may write it may change the weights.
    /// </summary>
    public string? PackCache { get; init; }

    /// <summary>Told, while loading, what people should know and what ends nothing: a damaged file of the cache, a folder that cannot be written.</summary>
    public Action<string>? Notice { get; init; }

    /// <summary>LoRA adapters that sequences may ask for, in the order of their numbers from 1.</summary>
    public IReadOnlyList<LoraAdapter> Adapters { get; init; } = [];

    /// <summary>F32 or Bf16: what KV pages hold.</summary>
    public DType KvDType { get; init; } = DType.F32;

    /// <summary>Tokens per KV page.</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>Buffers of values that are not alive together share memory.</summary>
    public bool ShareBuffers { get; init; } = true;

    /// <summary>Read every weight once while loading, so that the first step does not wait for the disk.</summary>
    public bool Preload { get; init; } = true;
}
