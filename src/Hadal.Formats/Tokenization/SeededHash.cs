using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Hadal.Formats.Tokenization;

/// <summary>A quick hash (multiply and fold, as wyhash does) with a secret seed, so that no file can be built to collide.</summary>
internal static class SeededHash
{
    private const ulong Multiplier = 0x9E3779B97F4A7C15;

    private static readonly ulong Seed = BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)) | 1;

    public static int Of(ulong value) => (int)Fold(value ^ Seed);

    public static int Of(ReadOnlySpan<byte> bytes)
    {
        ulong hash = Seed ^ ((ulong)bytes.Length * Multiplier);
        for (; bytes.Length >= 8; bytes = bytes[8..]) hash = Fold(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        ulong tail = 0;
        foreach (byte b in bytes) tail = (tail << 8) | b;
        return (int)Fold(hash ^ tail);
    }

    private static ulong Fold(ulong value)
    {
        ulong high = Math.BigMul(value, Multiplier ^ Seed, out ulong low);
        return high ^ low;
    }
}
