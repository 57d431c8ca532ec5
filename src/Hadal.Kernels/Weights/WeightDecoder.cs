namespace Hadal.Kernels.Weights;

/// <summary>Stored weights to float32, one row at a time.</summary>
public static unsafe partial class WeightDecoder
{
    /// <summary>Decodes W[row, firstColumn … firstColumn + count) into <paramref name="destination"/>, scales applied.</summary>
    /// <remarks>For block types both ends must be whole blocks (or the row's end).</remarks>
    public static void DecodeRow(in WeightMatrix w, int row, int firstColumn, int count, float* destination)
        => DecodeRowReference(w, row, firstColumn, count, destination);
}
