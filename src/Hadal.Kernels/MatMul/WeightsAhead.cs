namespace Hadal.Kernels.MatMul;

/// <summary>What a later matmul reads first: a matmul that finds memory idle has it brought into L2. Nothing of it is read, so it may be wrong without harm.</summary>
/// <param name="Data">First byte, at a multiple of 16.</param>
/// <param name="Second">Distance to as many bytes more (the up rows behind the gate's), or 0.</param>
/// <param name="Bytes">How many; 0 for nothing.</param>
public readonly record struct WeightsAhead(nint Data, long Second, long Bytes)
{
    /// <summary>The first rows of <paramref name="w"/>, up to so many bytes in all.</summary>
    public static WeightsAhead Of(in DeviceWeight w, bool gateUp, long bytes)
    {
        int halves = gateUp ? 2 : 1;
        long each = Math.Min(w.Rows / halves * w.RowBytes, bytes / halves);
        return new WeightsAhead(w.Data, gateUp ? w.Rows / 2 * w.RowBytes : 0, each / 16 * 16);
    }
}
