using System.Text.Json;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>Parses and checks the JSON header of a safetensors file in one pass, without building a document.</summary>
internal sealed class SafetensorsHeader
{
    /// <summary>More than any model has, and few enough that the products of a header full of brackets stay small.</summary>
    private const int MaxRank = 16;

    public Dictionary<string, SafetensorsTensor> Tensors { get; } = new(StringComparer.Ordinal);

    public Dictionary<string, string> Metadata { get; } = new(StringComparer.Ordinal);

    /// <param name="json">The header.</param>
    /// <param name="path">For messages.</param>
    /// <param name="dataStart">Offset in the file at which the tensors begin.</param>
    /// <param name="fileLength">Length of the file, which the tensors must fill exactly.</param>
    public static SafetensorsHeader Parse(ReadOnlySpan<byte> json, string path, long dataStart, long fileLength)
    {
        var header = new SafetensorsHeader();
        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 4 });
            header.ReadObject(ref reader, path, dataStart, fileLength);
        }
        catch (JsonException e)
        {
            throw new HadalException($"{path}: the header is not valid JSON at header byte {e.BytePositionInLine} (file offset {8 + (e.BytePositionInLine ?? 0)}): {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // Utf8JsonReader.GetString on invalid UTF-8 or an unpaired surrogate escape.
            throw new HadalException($"{path}: the header holds a string that is not valid Unicode: {e.Message}", e);
        }

        header.CheckLayout(path, dataStart, fileLength);
        return header;
    }

    private static HadalException Bad(string path, string tensor, string what)
        => new($"{path}: tensor {HostileText.Quote(tensor)}: {what}");

    private static string Describe(ref Utf8JsonReader reader)
        => reader.TokenType switch
        {
            JsonTokenType.StartObject => "an object",
            JsonTokenType.StartArray => "an array",
            JsonTokenType.String => "a string",
            JsonTokenType.Number => "a number",
            JsonTokenType.True or JsonTokenType.False => "a boolean",
            JsonTokenType.Null => "null",
            _ => reader.TokenType.ToString(),
        };

    private void ReadObject(ref Utf8JsonReader reader, string path, long dataStart, long fileLength)
    {
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
        {
            throw new HadalException($"{path}: the header is not a JSON object; this is no safetensors file");
        }

        bool sawMetadata = false;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string name = reader.GetString()!;
            reader.Read();
            if (name == "__metadata__")
            {
                if (sawMetadata)
                {
                    throw new HadalException($"{path}: the header has '__metadata__' twice");
                }

                sawMetadata = true;
                ReadMetadata(ref reader, path);
                continue;
            }

            SafetensorsTensor tensor = ReadTensor(ref reader, name, path, dataStart, fileLength);
            if (!Tensors.TryAdd(name, tensor))
            {
                throw Bad(path, name, "is named twice in the header");
            }
        }

        // Trailing blanks are padding; anything else makes this throw.
        while (reader.Read())
        {
        }
    }

    private void ReadMetadata(ref Utf8JsonReader reader, string path)
    {
        if (reader.TokenType == JsonTokenType.Null)
        {
            return;
        }

        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new HadalException($"{path}: '__metadata__' is {Describe(ref reader)}, expected an object of strings");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
            {
                throw new HadalException($"{path}: '__metadata__' key {HostileText.Quote(key)} is {Describe(ref reader)}, expected a string");
            }

            if (!Metadata.TryAdd(key, reader.GetString()!))
            {
                throw new HadalException($"{path}: '__metadata__' has the key {HostileText.Quote(key)} twice");
            }
        }
    }

    private static SafetensorsTensor ReadTensor(ref Utf8JsonReader reader, string name, string path, long dataStart, long fileLength)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw Bad(path, name, $"its entry is {Describe(ref reader)}, expected an object with dtype, shape and data_offsets");
        }

        DType? dtype = null;
        long[]? shape = null;
        long[]? offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            string key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype" when dtype is null:
                    dtype = ReadDType(ref reader, name, path);
                    break;
                case "shape" when shape is null:
                    shape = ReadNumbers(ref reader, name, key, path);
                    break;
                case "data_offsets" when offsets is null:
                    offsets = ReadNumbers(ref reader, name, key, path);
                    break;
                case "dtype" or "shape" or "data_offsets":
                    throw Bad(path, name, $"has '{key}' twice");
                default:
                    throw Bad(path, name, $"has the unknown key {HostileText.Quote(key)}; expected dtype, shape, data_offsets");
            }
        }

        if (dtype is null || shape is null || offsets is null)
        {
            throw Bad(path, name, $"has no '{(dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets")}'");
        }

        if (offsets.Length != 2 || offsets[0] > offsets[1])
        {
            throw Bad(path, name, $"data_offsets are [{string.Join(", ", offsets)}], expected [begin, end] with begin <= end");
        }

        long dataBytes = fileLength - dataStart;
        if (offsets[1] > dataBytes)
        {
            throw Bad(path, name, $"ends at data offset {offsets[1]}, but the file has {dataBytes} bytes of tensors; it is cut off (expected a file of {(UInt128)dataStart + (ulong)offsets[1]} bytes or more, found {fileLength})");
        }

        long found = offsets[1] - offsets[0];
        UInt128 expected = (UInt128)(ulong)dtype.Value.BlockBytes;
        foreach (long d in shape)
        {
            // Each factor is below 2^63 and the product is cut at 2^63, so 128 bits never overflow. A later 0 must still give 0.
            expected = d == 0 ? 0 : expected > long.MaxValue ? expected : expected * (ulong)d;
        }

        if (expected != (UInt128)(ulong)found)
        {
            string asked = expected > long.MaxValue ? "more than 2^63" : expected.ToString();
            throw Bad(path, name, $"holds {found} bytes at file offset {dataStart + offsets[0]}, but {SafetensorsDTypes.NameOf(dtype.Value)} [{string.Join(", ", shape)}] takes {asked}");
        }

        return new SafetensorsTensor(name, dtype.Value, shape, dataStart + offsets[0], found);
    }

    private static DType ReadDType(ref Utf8JsonReader reader, string name, string path)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw Bad(path, name, $"dtype is {Describe(ref reader)}, expected a string");
        }

        string text = reader.GetString()!;
        return SafetensorsDTypes.TryParse(text, out DType dtype)
            ? dtype
            : throw Bad(path, name, $"has the unknown dtype {HostileText.Quote(text)}; known are {SafetensorsDTypes.All}");
    }

    private static long[] ReadNumbers(ref Utf8JsonReader reader, string name, string key, string path)
    {
        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw Bad(path, name, $"{key} is {Describe(ref reader)}, expected an array of whole numbers");
        }

        var numbers = new List<long>(4);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long n) || n < 0)
            {
                string found = reader.TokenType == JsonTokenType.Number ? HostileText.Quote(System.Text.Encoding.UTF8.GetString(reader.ValueSpan)) : Describe(ref reader);
                throw Bad(path, name, $"{key}[{numbers.Count}] is {found}, expected a whole number from 0 to 2^63 - 1");
            }

            if (numbers.Count == MaxRank)
            {
                throw Bad(path, name, $"{key} has more than {MaxRank} numbers");
            }

            numbers.Add(n);
        }

        return [.. numbers];
    }

    /// <summary>The tensors must fill the file from the header to the end, each byte belonging to exactly one.</summary>
    private void CheckLayout(string path, long dataStart, long fileLength)
    {
        SafetensorsTensor[] sorted = [.. Tensors.Values];
        Array.Sort(sorted, static (a, b) => a.Offset != b.Offset ? a.Offset.CompareTo(b.Offset) : a.ByteLength.CompareTo(b.ByteLength));
        long at = dataStart;
        foreach (SafetensorsTensor t in sorted)
        {
            if (t.Offset != at)
            {
                throw Bad(path, t.Name, t.Offset < at
                    ? $"begins at file offset {t.Offset}, inside the tensor before it, which ends at {at}: tensors must not overlap"
                    : $"begins at file offset {t.Offset}, but the tensor before it ends at {at}: a hole of {t.Offset - at} bytes that belongs to no tensor");
            }

            at += t.ByteLength;
        }

        if (at != fileLength)
        {
            throw new HadalException($"{path}: the tensors end at offset {at}, but the file has {fileLength} bytes: {fileLength - at} bytes belong to no tensor");
        }
    }
}
