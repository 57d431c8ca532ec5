namespace Hadal.Numerics;

/// <summary>8-bit floats of the OCP specification: e4m3 (finite, max 448) and e5m2 (max 57344).</summary>
public static class Fp8
{
    private static readonly float[] _e4M3 = BuildE4M3();
    private static readonly float[] _e5M2 = BuildE5M2();

    /// <summary>The value of each of the 256 codes of e4m3.</summary>
    public static ReadOnlySpan<float> E4M3Table => _e4M3;

    /// <summary>The value of each of the 256 codes of e5m2.</summary>
    public static ReadOnlySpan<float> E5M2Table => _e5M2;

    public static float E4M3ToSingle(byte code) => _e4M3[code];

    public static float E5M2ToSingle(byte code) => _e5M2[code];

    /// <summary>Rounds to nearest, ties to even; beyond ±448 saturates; NaN becomes 0x7F with its sign.</summary>
    public static byte E4M3FromSingle(float value)
    {
        byte sign = (byte)(float.IsNegative(value) ? 0x80 : 0);
        float a = MathF.Abs(value);
        if (float.IsNaN(value))
        {
            return (byte)(sign | 0x7F);
        }

        if (a >= 448f)
        {
            return (byte)(sign | 0x7E);
        }

        if (a < 0.015625f)
        {
            // Subnormal: steps of 2^-9. Rounding up to 8 steps lands on the first normal code by itself.
            return (byte)(sign | (byte)MathF.Round(a * 512f, MidpointRounding.ToEven));
        }

        uint u = BitConverter.SingleToUInt32Bits(a);
        u += 0x7FFFF + ((u >> 20) & 1);
        uint code = (u >> 20) - ((127 - 7) << 3);
        return (byte)(sign | (byte)Math.Min(code, 0x7Eu));
    }

    private static float[] BuildE4M3()
    {
        var t = new float[256];
        for (int i = 0; i < 256; i++)
        {
            int e = (i >> 3) & 15;
            int m = i & 7;
            float v = (e, m) switch
            {
                (15, 7) => float.NaN,
                (0, _) => m * MathF.ScaleB(1, -9),
                _ => MathF.ScaleB(1 + (m / 8f), e - 7),
            };
            t[i] = i < 128 ? v : -v;
        }

        return t;
    }

    private static float[] BuildE5M2()
    {
        var t = new float[256];
        for (int i = 0; i < 256; i++)
        {
            // e5m2 is the upper byte of an IEEE binary16.
            t[i] = (float)BitConverter.UInt16BitsToHalf((ushort)(i << 8));
        }

        return t;
    }
}
