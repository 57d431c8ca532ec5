namespace Hadal.Kernels.Vectors;

/// <summary>How scratch tiles are laid out, whatever the ISA: in units of the widest register.</summary>
internal static unsafe class Tile
{
    public const int Lanes = 16;

    public static int Pad(int count) => (count + Lanes - 1) / Lanes * Lanes;

    /// <summary>A row stride for <paramref name="columns"/>: padded, and not a multiple of 512 bytes, which would fold all rows into a few cache sets.</summary>
    public static int Stride(int columns)
    {
        int stride = Pad(columns);
        return stride % 128 == 0 ? stride + Lanes : stride;
    }

    /// <summary>Cuts <paramref name="floats"/> off the front of a scratch area, in whole cache lines.</summary>
    public static float* Take(ref float* free, nint floats)
    {
        float* taken = free;
        free += (floats + Lanes - 1) / Lanes * Lanes;
        return taken;
    }
}
