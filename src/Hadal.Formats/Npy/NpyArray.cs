using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Npy;

/// <summary>A one- or two-dimensional array of whole numbers from a NumPy <c>.npy</c> file: token ids of evaluation texts.</summary>
/// <remarks>Source: numpy.lib.format, versions 1.0 to 3.0. Little-endian, C order.</remarks>
public sealed class NpyArray
{
    private const int MaxHeaderBytes = 1 << 16;

    private readonly string _path;
    private readonly long[] _values;

    private NpyArray(string path, int[] shape, long[] values)
    {
        _path = path;
        Shape = shape;
        _values = values;
    }

    public IReadOnlyList<int> Shape { get; }

    /// <summary>All elements, row by row.</summary>
    public ReadOnlySpan<long> Values => _values;

    /// <exception cref="HadalException">The file is absent, broken, or holds something other than a plain array of whole numbers.</exception>
    public static NpyArray Read(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Length < 10 || !IsMagic(file.Bytes(0, 6)))
        {
            throw new HadalException($"{path}: does not begin with the magic of a .npy file (0x93 'NUMPY'); save it with numpy.save");
        }

        byte major = file.Bytes(6, 1)[0];
        if (major is < 1 or > 3)
        {
            throw new HadalException($"{path}: offset 6: .npy version is {major}, known are 1, 2 and 3");
        }

        int prefix = major == 1 ? 10 : 12;
        if (file.Length < prefix)
        {
            throw new HadalException($"{path}: ends within the header at {file.Length} bytes; it is cut off");
        }

        long headerBytes = major == 1 ? BinaryPrimitives.ReadUInt16LittleEndian(file.Bytes(8, 2)) : BinaryPrimitives.ReadUInt32LittleEndian(file.Bytes(8, 4));
        long limit = Math.Min(file.Length - prefix, MaxHeaderBytes);
        if (headerBytes > limit)
        {
            throw new HadalException($"{path}: offset 8: header length is {headerBytes}, at most {limit} is possible; the file is cut off or broken");
        }

        (string descr, bool fortran, List<long> shape) = ParseHeader(Encoding.Latin1.GetString(file.Bytes(prefix, (int)headerBytes)), path);
        if (fortran)
        {
            throw new HadalException($"{path}: fortran_order is True, expected C order; save numpy.ascontiguousarray(a)");
        }

        if (shape.Count is < 1 or > 2)
        {
            throw new HadalException($"{path}: the array has {shape.Count} dimensions, expected 1 or 2");
        }

        (int itemBytes, bool signed) = descr switch
        {
            "|u1" or "<u1" => (1, false),
            "|i1" or "<i1" => (1, true),
            "<u2" => (2, false),
            "<i2" => (2, true),
            "<u4" => (4, false),
            "<i4" => (4, true),
            "<u8" => (8, false),
            "<i8" => (8, true),
            _ => throw new HadalException($"{path}: descr is {HostileText.Quote(descr)}, expected a little-endian whole number (u1, i1, <u2, <i2, <u4, <i4, <u8, <i8); save a.astype('<i4')"),
        };

        long dataBytes = file.Length - prefix - headerBytes;
        UInt128 count = 1;
        foreach (long d in shape)
        {
            count *= (ulong)d;
        }

        if (count * (ulong)itemBytes != (UInt128)(ulong)dataBytes || count > (ulong)Array.MaxLength)
        {
            throw new HadalException($"{path}: shape ({string.Join(", ", shape)}) of {descr} takes {count * (ulong)itemBytes} bytes, but {dataBytes} follow the header; the file is cut off or broken");
        }

        long[] values = new long[(int)count];
        int chunkElements = (1 << 20) / itemBytes;
        for (int done = 0; done < values.Length; done += chunkElements)
        {
            int n = Math.Min(chunkElements, values.Length - done);
            ReadOnlySpan<byte> bytes = file.Bytes(prefix + headerBytes + ((long)done * itemBytes), n * itemBytes);
            for (int i = 0; i < n; i++)
            {
                values[done + i] = ReadOne(bytes.Slice(i * itemBytes, itemBytes), signed, path, done + i);
            }
        }

        return new NpyArray(path, [.. shape.Select(static d => (int)d)], values);
    }

    /// <summary>All elements, row by row.</summary>
    /// <exception cref="HadalException">One does not fit 32 bits.</exception>
    public int[] ToInt32()
    {
        int[] result = new int[_values.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = _values[i] is >= int.MinValue and <= int.MaxValue
                ? (int)_values[i]
                : throw new HadalException($"{_path}: element {i} is {_values[i]}, which does not fit 32 bits: these are no token ids");
        }

        return result;
    }

    private static bool IsMagic(ReadOnlySpan<byte> b) => b[0] == 0x93 && b[1..].SequenceEqual("NUMPY"u8);

    private static long ReadOne(ReadOnlySpan<byte> b, bool signed, string path, int index)
    {
        switch (b.Length)
        {
            case 1:
                return signed ? (sbyte)b[0] : b[0];
            case 2:
                return signed ? BinaryPrimitives.ReadInt16LittleEndian(b) : BinaryPrimitives.ReadUInt16LittleEndian(b);
            case 4:
                return signed ? BinaryPrimitives.ReadInt32LittleEndian(b) : BinaryPrimitives.ReadUInt32LittleEndian(b);
            default:
                long v = BinaryPrimitives.ReadInt64LittleEndian(b);
                return signed || v >= 0 ? v : throw new HadalException($"{path}: element {index} is {(ulong)v}, which does not fit a signed 64-bit number");
        }
    }

    /// <summary>The header is a Python literal such as <c>{'descr': '&lt;u2', 'fortran_order': False, 'shape': (3, 4), }</c>.</summary>
    private static (string Descr, bool Fortran, List<long> Shape) ParseHeader(string text, string path)
    {
        int at = 0;
        string? descr = null;
        bool? fortran = null;
        List<long>? shape = null;

        HadalException Bad(string expected) => new($"{path}: header character {at}: expected {expected} in {HostileText.Quote(text)}");

        void Blanks()
        {
            while (at < text.Length && text[at] is ' ' or '\n' or '\t' or '\r')
            {
                at++;
            }
        }

        bool Take(char c)
        {
            Blanks();
            if (at < text.Length && text[at] == c)
            {
                at++;
                return true;
            }

            return false;
        }

        string Quoted()
        {
            Blanks();
            if (at >= text.Length || text[at] is not ('\'' or '"'))
            {
                throw Bad("a quoted string");
            }

            int end = text.IndexOf(text[at], at + 1);
            if (end < 0)
            {
                throw Bad("the end of a quoted string");
            }

            string s = text[(at + 1)..end];
            at = end + 1;
            return s;
        }

        if (!Take('{'))
        {
            throw Bad("'{'");
        }

        while (!Take('}'))
        {
            string key = Quoted();
            if (!Take(':'))
            {
                throw Bad("':'");
            }

            Blanks();
            if (key == "descr" && descr is null)
            {
                descr = Quoted();
            }
            else if (key == "fortran_order" && fortran is null)
            {
                fortran = text.AsSpan(at).StartsWith("True") ? true : text.AsSpan(at).StartsWith("False") ? false : throw Bad("True or False");
                at += fortran.Value ? 4 : 5;
            }
            else if (key == "shape" && shape is null)
            {
                shape = [];
                if (!Take('('))
                {
                    throw Bad("'('");
                }

                while (!Take(')'))
                {
                    Blanks();
                    int start = at;
                    while (at < text.Length && char.IsAsciiDigit(text[at]))
                    {
                        at++;
                    }

                    // 32 bits per dimension: then the product of two fits 64 bits, and more elements could not be held anyway.
                    if (!int.TryParse(text.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int d) || shape.Count == 32)
                    {
                        throw Bad("a dimension below 2^31");
                    }

                    shape.Add(d);
                    Blanks();
                    if (!Take(',') && (at >= text.Length || text[at] != ')'))
                    {
                        throw Bad("',' or ')'");
                    }
                }
            }
            else
            {
                throw Bad("each of the keys descr, fortran_order and shape once");
            }

            Blanks();
            if (!Take(',') && (at >= text.Length || text[at] != '}'))
            {
                throw Bad("',' or '}'");
            }
        }

        return descr is not null && fortran is not null && shape is not null
            ? (descr, fortran.Value, shape)
            : throw Bad("the keys descr, fortran_order and shape");
    }
}
