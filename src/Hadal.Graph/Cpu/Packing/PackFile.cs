using System.Buffers.Binary;
using System.IO.Hashing;
using Microsoft.Win32.SafeHandles;

namespace Hadal.Graph.Cpu.Packing;

/// <summary>
/// A file of the cache: magic, format version, key, length and checksum of what follows, checksum of all this, in <see cref="HeaderBytes"/>; then the packed
/// bytes. Little-endian.
/// </summary>
internal static class PackFile
{
    public const string Extension = ".pack";

    /// <summary>The packed bytes begin at a page.</summary>
    public const int HeaderBytes = 4096;

    /// <summary>Of this format, and of what packing writes: a change of either must change it. A test holds the packed bytes of every kind.</summary>
    public const int Version = 1;

    private const int VersionAt = 8, KeyAt = 16, LengthAt = 32, ChecksumAt = 48, HeaderChecksumAt = HeaderBytes - 16;

    private static ReadOnlySpan<byte> Magic => "HADALPAK"u8;

    public static byte[] Header(PackKey key, long payloadBytes, UInt128 checksum)
    {
        byte[] header = new byte[HeaderBytes];
        Magic.CopyTo(header);
        BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(VersionAt), Version);
        BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(KeyAt), key.Value);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(LengthAt), payloadBytes);
        BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(ChecksumAt), checksum);
        BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(HeaderChecksumAt), XxHash128.HashToUInt128(header.AsSpan(0, HeaderChecksumAt)));
        return header;
    }

    /// <returns>What is wrong with a header; null where it is that of the key.</returns>
    public static string? Check(ReadOnlySpan<byte> header, PackKey key, long payloadBytes, out UInt128 checksum)
    {
        checksum = BinaryPrimitives.ReadUInt128LittleEndian(header[ChecksumAt..]);
        if (!header.StartsWith(Magic))
        {
            return "does not begin as a file of the pack cache does";
        }

        if (BinaryPrimitives.ReadInt32LittleEndian(header[VersionAt..]) is var version and not Version)
        {
            return $"is of format version {version}, expected {Version}";
        }

        if (BinaryPrimitives.ReadUInt128LittleEndian(header[HeaderChecksumAt..]) != XxHash128.HashToUInt128(header[..HeaderChecksumAt]))
        {
            return "is damaged: the checksum of its header is wrong";
        }

        if (BinaryPrimitives.ReadUInt128LittleEndian(header[KeyAt..]) is var found && found != key.Value)
        {
            return $"holds the weight {new PackKey(found)}, not the one that it is named after";
        }

        return BinaryPrimitives.ReadInt64LittleEndian(header[LengthAt..]) is var length && length != payloadBytes
            ? $"says that it holds {length} packed bytes, expected {payloadBytes}"
            : null;
    }

    /// <exception cref="EndOfStreamException">The file ends before.</exception>
    public static void ReadExactly(SafeFileHandle file, Span<byte> memory, long offset)
    {
        while (memory.Length > 0)
        {
            int read = RandomAccess.Read(file, memory, offset);
            if (read == 0)
            {
                throw new EndOfStreamException($"it ends at byte {offset}");
            }

            memory = memory[read..];
            offset += read;
        }
    }
}
