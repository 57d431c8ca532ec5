using System.Runtime.InteropServices;
using Hadal.Numerics;

namespace Hadal.Models.Synthetic;

/// <summary>Random GGUF blocks whose values have mean zero and a given standard deviation.</summary>
/// <remarks>
/// Codes are uniform, so a block's variance is its step squared times (n² − 1) / 12 of n codes. Types without a minimum have one code more below zero than
/// above; as ggml's quantiser does, their steps have either sign, so that nothing drifts. Layouts: github.com/ggml-org/ggml, src/ggml-common.h.
/// </remarks>
public static class SyntheticBlocks
{
    /// <summary>Smallest and largest 6-bit scale of a Q4_K or Q5_K sub-block.</summary>
    private const int MinScale = 32, MaxScale = 63;

    /// <summary>Root mean square of whole numbers from 32 to 63 and from 64 to 127.</summary>
    private const float RmsSixBits = 48.39f, RmsSevenBits = 97.26f;

    /// <param name="type">A GGUF block type.</param>
    /// <param name="blocks">Whole blocks, to be overwritten.</param>
    /// <param name="deviation">Standard deviation of the values.</param>
    /// <param name="random">Where all bits come from.</param>
    public static void Fill(DType type, Span<byte> blocks, float deviation, Random random)
    {
        random.NextBytes(blocks);
        for (int at = 0; at < blocks.Length; at += type.BlockBytes)
        {
            Span<byte> block = blocks.Slice(at, type.BlockBytes);
            switch (type)
            {
                case DType.Q8_0:
                    WriteHalf(block, deviation / Deviation(255));
                    // Quantisers never write −128.
                    block[2..].Replace((byte)0x80, (byte)0);
                    break;
                case DType.Q4_0:
                    WriteHalf(block, Signed(deviation / Deviation(16), random));
                    break;
                case DType.Q5_0:
                    WriteHalf(block, Signed(deviation / Deviation(32), random));
                    break;
                case DType.Q4_1:
                    WriteAffine(block, deviation / Deviation(16), -7.5f);
                    break;
                case DType.Q5_1:
                    WriteAffine(block, deviation / Deviation(32), -15.5f);
                    break;
                case DType.Q4_K:
                    WriteAffine(block, deviation / (Deviation(16) * RmsSixBits), 7.5f);
                    WriteSubScales(block.Slice(4, 12), random);
                    break;
                case DType.Q5_K:
                    WriteAffine(block, deviation / (Deviation(32) * RmsSixBits), 15.5f);
                    WriteSubScales(block.Slice(4, 12), random);
                    break;
                case DType.Q6_K:
                    WriteHalf(block[208..], deviation / (Deviation(64) * RmsSevenBits));
                    foreach (ref byte scale in block.Slice(192, 16))
                    {
                        int magnitude = 64 | (scale & 63);
                        scale = (byte)((scale & 64) == 0 ? magnitude : -magnitude);
                    }

                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(type), type, "not a block type");
            }
        }
    }

    /// <summary>Standard deviation of whole numbers drawn evenly from so many neighbours.</summary>
    private static float Deviation(int codes) => MathF.Sqrt(((codes * codes) - 1) / 12f);

    private static float Signed(float v, Random random) => random.Next(2) == 0 ? v : -v;

    private static void WriteHalf(Span<byte> to, float v) => MemoryMarshal.Write(to, (Half)v);

    /// <summary>A step, and as the second number the step times <paramref name="middle"/>: the middle of the codes becomes zero.</summary>
    private static void WriteAffine(Span<byte> block, float step, float middle)
    {
        WriteHalf(block, step);
        WriteHalf(block[2..], step * middle);
    }

    /// <summary>Eight scales of 6 bits and the same eight as minima, packed as Q4_K and Q5_K hold them.</summary>
    private static void WriteSubScales(Span<byte> packed, Random random)
    {
        packed.Clear();
        for (int s = 0; s < 8; s++)
        {
            int scale = random.Next(MinScale, MaxScale + 1);
            if (s < 4)
            {
                packed[s] |= (byte)scale;
                packed[s + 4] |= (byte)scale;
            }
            else
            {
                packed[s + 4] = (byte)((scale & 15) | ((scale & 15) << 4));
                packed[s - 4] |= (byte)(scale >> 4 << 6);
                packed[s] |= (byte)(scale >> 4 << 6);
            }
        }
    }
}
