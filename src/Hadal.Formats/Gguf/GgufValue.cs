using System.Buffers.Binary;
using System.Text;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>
/// One metadata value. It stays in the mapped file until asked for (vocabularies have hundreds of thousands of strings),
/// so it lives as long as its <see cref="GgufFile"/>.
/// </summary>
public sealed class GgufValue
{
    private readonly MappedFile _file;
    private readonly long _offset;

    internal GgufValue(MappedFile file, string key, GgufValueType type, GgufValueType elementType, long count, long offset)
    {
        _file = file;
        Key = key;
        Type = type;
        ElementType = elementType;
        Count = count;
        _offset = offset;
    }

    public string Key { get; }

    public GgufValueType Type { get; }

    /// <summary>Of an array: what it holds; else the same as <see cref="Type"/>.</summary>
    public GgufValueType ElementType { get; }

    /// <summary>Elements of an array; 1 for anything else.</summary>
    public long Count { get; }

    private string Describe => Type == GgufValueType.Array ? $"an array of {Count} {ElementType}" : $"a {Type}";

    /// <exception cref="HadalException">It is not a string.</exception>
    public string AsString()
    {
        Expect(Type == GgufValueType.String, "a string");
        return ReadString(_offset, out _);
    }

    /// <exception cref="HadalException">It is not a boolean.</exception>
    public bool AsBool()
    {
        Expect(Type == GgufValueType.Bool, "a boolean");
        return _file.Bytes(_offset, 1)[0] != 0;
    }

    /// <summary>A whole number of any width.</summary>
    /// <exception cref="HadalException">It is not one, or beyond 63 bits.</exception>
    public long AsInteger()
    {
        Expect(IsInteger(Type), "a whole number");
        return ReadInteger(Type, _offset);
    }

    /// <summary>A number of any kind.</summary>
    /// <exception cref="HadalException">It is not a number.</exception>
    public double AsNumber()
    {
        Expect(IsNumber(Type), "a number");
        return ReadNumber(Type, _offset);
    }

    /// <exception cref="HadalException">It is not an array of strings.</exception>
    public string[] AsStrings()
    {
        Expect(Type == GgufValueType.Array && (ElementType == GgufValueType.String || Count == 0), "an array of strings");
        string[] result = new string[Length()];
        long at = _offset;
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = ReadString(at, out long bytes);
            at += bytes;
        }

        return result;
    }

    /// <summary>An array of whole numbers; of booleans as 0 and 1.</summary>
    /// <exception cref="HadalException">It is not one.</exception>
    public long[] AsIntegers()
    {
        Expect(Type == GgufValueType.Array && (IsInteger(ElementType) || ElementType == GgufValueType.Bool || Count == 0), "an array of whole numbers");
        long[] result = new long[Length()];
        int bytes = GgufCursor.FixedBytes(ElementType);
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = ReadInteger(ElementType, _offset + ((long)i * bytes));
        }

        return result;
    }

    /// <summary>An array of numbers of any kind.</summary>
    /// <exception cref="HadalException">It is not one.</exception>
    public float[] AsNumbers()
    {
        Expect(Type == GgufValueType.Array && (IsNumber(ElementType) || Count == 0), "an array of numbers");
        float[] result = new float[Length()];
        int bytes = GgufCursor.FixedBytes(ElementType);
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = (float)ReadNumber(ElementType, _offset + ((long)i * bytes));
        }

        return result;
    }

    /// <summary>For people: scalars in full, arrays by type and length, strings cut.</summary>
    public override string ToString() => Type switch
    {
        GgufValueType.Array => Describe,
        GgufValueType.String => HostileText.Quote(AsString()),
        GgufValueType.Bool => AsBool() ? "true" : "false",
        GgufValueType.Float32 => ((float)AsNumber()).ToString(System.Globalization.CultureInfo.InvariantCulture),
        GgufValueType.Float64 => AsNumber().ToString(System.Globalization.CultureInfo.InvariantCulture),
        GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(_file.Bytes(_offset, 8)).ToString(System.Globalization.CultureInfo.InvariantCulture),
        _ => AsInteger().ToString(System.Globalization.CultureInfo.InvariantCulture),
    };

    private static bool IsInteger(GgufValueType t) => t is GgufValueType.UInt8 or GgufValueType.Int8 or GgufValueType.UInt16 or GgufValueType.Int16
        or GgufValueType.UInt32 or GgufValueType.Int32 or GgufValueType.UInt64 or GgufValueType.Int64;

    private static bool IsNumber(GgufValueType t) => IsInteger(t) || t is GgufValueType.Float32 or GgufValueType.Float64;

    private void Expect(bool holds, string expected)
    {
        if (!holds)
        {
            throw new HadalException($"{_file.Path}: metadata '{Key}' is {Describe}, expected {expected}");
        }
    }

    private int Length()
        => Count <= Array.MaxLength ? (int)Count : throw new HadalException($"{_file.Path}: metadata '{Key}' has {Count} elements, more than can be held");

    // The cursor checked when the file was opened that the bytes are there. Invalid UTF-8 becomes U+FFFD: some vocabularies cut characters.
    private string ReadString(long at, out long totalBytes)
    {
        int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(_file.Bytes(at, 8));
        totalBytes = 8L + length;
        return Encoding.UTF8.GetString(_file.Bytes(at + 8, length));
    }

    private long ReadInteger(GgufValueType type, long at)
    {
        switch (type)
        {
            case GgufValueType.UInt8 or GgufValueType.Bool:
                return _file.Bytes(at, 1)[0];
            case GgufValueType.Int8:
                return (sbyte)_file.Bytes(at, 1)[0];
            case GgufValueType.UInt16:
                return BinaryPrimitives.ReadUInt16LittleEndian(_file.Bytes(at, 2));
            case GgufValueType.Int16:
                return BinaryPrimitives.ReadInt16LittleEndian(_file.Bytes(at, 2));
            case GgufValueType.UInt32:
                return BinaryPrimitives.ReadUInt32LittleEndian(_file.Bytes(at, 4));
            case GgufValueType.Int32:
                return BinaryPrimitives.ReadInt32LittleEndian(_file.Bytes(at, 4));
            default:
                long v = BinaryPrimitives.ReadInt64LittleEndian(_file.Bytes(at, 8));
                return type == GgufValueType.Int64 || v >= 0
                    ? v
                    : throw new HadalException($"{_file.Path}: metadata '{Key}' holds {(ulong)v}, expected a whole number below 2^63");
        }
    }

    private double ReadNumber(GgufValueType type, long at) => type switch
    {
        GgufValueType.Float32 => BinaryPrimitives.ReadSingleLittleEndian(_file.Bytes(at, 4)),
        GgufValueType.Float64 => BinaryPrimitives.ReadDoubleLittleEndian(_file.Bytes(at, 8)),
        GgufValueType.UInt64 => BinaryPrimitives.ReadUInt64LittleEndian(_file.Bytes(at, 8)),
        _ => ReadInteger(type, at),
    };
}
