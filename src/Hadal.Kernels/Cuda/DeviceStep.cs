using System.Runtime.InteropServices;

namespace Hadal.Kernels.Cuda;

/// <summary>The step as kernels see it: <c>Step</c> of hadal.cuh, field by field. Pointers are of the card.</summary>
/// <remarks>A padded step has sequences of context length 0 and slots of -1: nothing is written for them.</remarks>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct DeviceStep
{
    /// <summary>[T] int32</summary>
    public required nint Tokens { get; init; }

    /// <summary>[T] int32</summary>
    public required nint Positions { get; init; }

    /// <summary>[T] int64</summary>
    public required nint Slots { get; init; }

    /// <summary>[B + 1] int32</summary>
    public required nint CuSeqLens { get; init; }

    /// <summary>[B] int32, the step's tokens included</summary>
    public required nint ContextLens { get; init; }

    /// <summary>[B, MaxBlocks] int32</summary>
    public required nint BlockTables { get; init; }

    /// <summary>[L] int32</summary>
    public required nint LogitRows { get; init; }

    public required int NumTokens { get; init; }

    public required int NumSequences { get; init; }

    public required int NumLogitRows { get; init; }

    public required int MaxBlocks { get; init; }

    public required int BlockSize { get; init; }

    private readonly int _reserved;

    public DeviceStep()
    {
    }
}
