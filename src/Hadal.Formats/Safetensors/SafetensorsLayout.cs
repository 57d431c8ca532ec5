using System.Buffers;
using System.Text.Json;
using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>Where tensors lie in a file that is to be written, as the reference implementation lays them out.</summary>
internal static class SafetensorsLayout
{
    // The format asks for 8; with a whole cache line the widest loads of a mapped file stay aligned too. Padding is blanks in the header.
    private const int DataAlignment = 64;

    /// <summary>Widest elements first, then by name, as the reference does: then every tensor is aligned to its element without gaps.</summary>
    public static int Compare(DType a, string nameA, DType b, string nameB)
        => a.BlockBytes != b.BlockBytes ? b.BlockBytes.CompareTo(a.BlockBytes) : string.CompareOrdinal(nameA, nameB);

    /// <param name="path">For messages.</param>
    /// <param name="sorted">In the order of the file.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>.</param>
    /// <exception cref="HadalException">A name comes twice, or a type has no name in safetensors.</exception>
    public static ReadOnlyMemory<byte> BuildHeader(string path, IReadOnlyList<TensorPlan> sorted, IReadOnlyDictionary<string, string>? metadata)
    {
        var buffer = new ArrayBufferWriter<byte>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata is { Count: > 0 })
            {
                json.WriteStartObject("__metadata__");
                foreach ((string key, string value) in metadata)
                {
                    json.WriteString(key, value);
                }

                json.WriteEndObject();
            }

            long at = 0;
            foreach (TensorPlan t in sorted)
            {
                if (!names.Add(t.Name) || t.Name == "__metadata__")
                {
                    throw new HadalException($"{path}: cannot write a tensor named '{t.Name}' {(t.Name == "__metadata__" ? "(the name is reserved)" : "twice")}");
                }

                string dtype = SafetensorsDTypes.NameOf(t.DType)
                    ?? throw new HadalException($"{path}: tensor '{t.Name}' is {t.DType}, which safetensors cannot hold; dequantise it first");
                json.WriteStartObject(t.Name);
                json.WriteString("dtype", dtype);
                json.WriteStartArray("shape");
                foreach (long d in t.Shape)
                {
                    json.WriteNumberValue(d);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(at);
                json.WriteNumberValue(at = checked(at + t.ByteLength));
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        int padded = (8 + buffer.WrittenCount + DataAlignment - 1) / DataAlignment * DataAlignment;
        int blanks = padded - 8 - buffer.WrittenCount;
        buffer.GetSpan(blanks)[..blanks].Fill((byte)' ');
        buffer.Advance(blanks);
        return buffer.WrittenMemory;
    }
}
