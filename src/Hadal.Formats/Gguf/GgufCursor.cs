using System.Buffers.Binary;
using System.Text;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>Walks the header of a GGUF file; no read leaves the file.</summary>
internal sealed class GgufCursor(MappedFile file)
{
    private const int MaxKeyBytes = 65535;

    // Nested arrays are in the specification and in no known file.
    private const int MaxArrayDepth = 4;

    public long Position { get; private set; }

    public long Remaining => file.Length - Position;

    /// <summary>Bytes of one element; 0 for strings and arrays, whose size differs.</summary>
    public static int FixedBytes(GgufValueType type) => type switch
    {
        GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.Bool => 1,
        GgufValueType.UInt16 or GgufValueType.Int16 => 2,
        GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.Float32 => 4,
        GgufValueType.UInt64 or GgufValueType.Int64 or GgufValueType.Float64 => 8,
        _ => 0,
    };

    public uint ReadUInt32(string what) => BinaryPrimitives.ReadUInt32LittleEndian(Take(4, what));

    public ulong ReadUInt64(string what) => BinaryPrimitives.ReadUInt64LittleEndian(Take(8, what));

    /// <summary>A name: valid UTF-8, not empty, of limited length.</summary>
    public string ReadName(string what)
    {
        long start = Position;
        ulong length = ReadUInt64($"length of {what}");
        if (length is 0 or > MaxKeyBytes)
        {
            throw Bad(start, $"length of {what} is {length}, expected 1 to {MaxKeyBytes}");
        }

        ReadOnlySpan<byte> bytes = Take((long)length, what);
        if (!System.Text.Unicode.Utf8.IsValid(bytes))
        {
            throw Bad(start, $"{what} is not valid UTF-8");
        }

        return Encoding.UTF8.GetString(bytes);
    }

    /// <summary>A count whose items take at least <paramref name="minItemBytes"/> each: so many must still fit the file.</summary>
    public long ReadCount(string what, int minItemBytes)
    {
        long start = Position;
        ulong count = ReadUInt64(what);
        if (count > (ulong)(Remaining / minItemBytes))
        {
            throw Bad(start, $"{what} is {count}, but the {Remaining} bytes that are left hold at most {Remaining / minItemBytes}; the file is cut off or broken");
        }

        return (long)count;
    }

    public GgufValue ReadValue(string key)
    {
        GgufValueType type = ReadType(key);
        if (type != GgufValueType.Array)
        {
            long at = Position;
            SkipScalar(type, key);
            return new GgufValue(file, key, type, type, 1, at);
        }

        (GgufValueType elementType, long count) = ReadArrayHead(key);
        long start = Position;
        SkipElements(elementType, count, key, 1);
        return new GgufValue(file, key, type, elementType, count, start);
    }

    public HadalException Bad(long offset, string what) => new($"{file.Path}: offset {offset}: {what}");

    private GgufValueType ReadType(string key)
    {
        long start = Position;
        uint type = ReadUInt32($"type of metadata {HostileText.Quote(key)}");
        return type <= (uint)GgufValueType.Float64
            ? (GgufValueType)type
            : throw Bad(start, $"metadata {HostileText.Quote(key)} has the unknown type {type}, known are 0 to {(int)GgufValueType.Float64}");
    }

    private (GgufValueType ElementType, long Count) ReadArrayHead(string key)
    {
        GgufValueType elementType = ReadType(key);
        // A string takes 8 bytes or more, an array 12.
        int min = elementType == GgufValueType.String ? 8 : elementType == GgufValueType.Array ? 12 : FixedBytes(elementType);
        return (elementType, ReadCount($"length of array {HostileText.Quote(key)}", min));
    }

    private void SkipScalar(GgufValueType type, string key)
    {
        if (type == GgufValueType.String)
        {
            long start = Position;
            ulong length = ReadUInt64($"length of string {HostileText.Quote(key)}");
            if (length > (ulong)Math.Min(Remaining, int.MaxValue))
            {
                throw Bad(start, $"a string of metadata {HostileText.Quote(key)} has {length} bytes, but {Remaining} are left in the file");
            }

            Position += (long)length;
            return;
        }

        Take(FixedBytes(type), $"metadata {HostileText.Quote(key)}");
    }

    private void SkipElements(GgufValueType elementType, long count, string key, int depth)
    {
        if (elementType == GgufValueType.Array)
        {
            if (depth == MaxArrayDepth)
            {
                throw Bad(Position, $"metadata {HostileText.Quote(key)} nests arrays more than {MaxArrayDepth} deep");
            }

            for (long i = 0; i < count; i++)
            {
                (GgufValueType inner, long innerCount) = ReadArrayHead(key);
                SkipElements(inner, innerCount, key, depth + 1);
            }
        }
        else if (elementType == GgufValueType.String)
        {
            for (long i = 0; i < count; i++)
            {
                SkipScalar(elementType, key);
            }
        }
        else
        {
            // ReadCount made sure that so many fit.
            Position += count * FixedBytes(elementType);
        }
    }

    private ReadOnlySpan<byte> Take(long count, string what)
    {
        if (count > Remaining)
        {
            throw Bad(Position, $"{what} takes {count} bytes, but the file ends after {Remaining} more; it is cut off or broken");
        }

        ReadOnlySpan<byte> bytes = file.Bytes(Position, (int)count);
        Position += count;
        return bytes;
    }
}
