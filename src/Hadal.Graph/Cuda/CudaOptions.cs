using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Graph.Cuda;

/// <summary>How a graph is compiled for and run on an NVIDIA card.</summary>
public sealed record CudaOptions
{
    /// <summary>The card, as the driver numbers them.</summary>
    public int Device { get; init; }

    /// <summary>Which kernels: those made for this card, or those of the floor on any card.</summary>
    public CudaTarget Target { get; init; }

    public CudaWeightConversion Weights { get; init; }

    /// <summary>Bf16; or F32, for comparing numbers: no activation is rounded, kernels are plain and slow, KV pages are F32 too.</summary>
    public DType ActivationDType { get; init; } = DType.Bf16;

    /// <summary>What KV pages hold: Bf16 or F8E4M3; F32 with activations of F32, and only then.</summary>
    public DType KvDType { get; init; } = DType.Bf16;

    /// <summary>Tokens per KV page.</summary>
    public int BlockSize { get; init; } = 16;

    /// <summary>Steps of one token a sequence run as captured graphs, one per size of batch.</summary>
    public bool CaptureGraphs { get; init; } = true;

    /// <summary>A sequence's tokens do not depend on what else is in the batch: kernels are chosen without regard to its size.</summary>
    public bool Deterministic { get; init; }

    /// <summary>Buffers of values that are not alive together share memory.</summary>
    public bool ShareBuffers { get; init; } = true;

    /// <summary>Threads that decode and copy weights while loading; 0 for one per processor.</summary>
    public int LoadThreads { get; init; }
}
