using Hadal.Kernels.Simd;

namespace Hadal.Kernels.Weights;

/// <summary>Decodes one vector of a plain (not block) stored type in registers, without scales.</summary>
internal unsafe interface IWeightLoader
{
    /// <summary>Bytes of an element that comes from memory; 0 where the rows are already in a cache, so that nothing is prefetched.</summary>
    static abstract int StreamedBytes { get; }

    /// <summary>Elements column … column + TSimd.Count - 1 of the row at <paramref name="row"/>.</summary>
    static abstract TV Load<TV, TSimd>(byte* row, nint column)
        where TV : struct
        where TSimd : struct, ISimd<TV>;
}
