using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>Writes safetensors files as the reference implementation lays them out.</summary>
public static unsafe class SafetensorsWriter
{
    // The format asks for 8; with a whole cache line the widest loads of a mapped file stay aligned too. Padding is blanks in the header.
    private const int DataAlignment = 64;

    /// <summary>Writes beside, flushes to disk, then renames: a reader sees the old file or the whole new one, never a part.</summary>
    /// <param name="path">The file to make or replace.</param>
    /// <param name="tensors">Names must differ; the memory must stay valid until this returns.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>.</param>
    /// <exception cref="HadalException">A name comes twice, a type has no name in safetensors, bytes do not fit the shape, or the disk refuses.</exception>
    public static void Write(string path, IReadOnlyList<StoredTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        // Widest elements first, then by name, as the reference does: then every tensor is aligned to its element without gaps.
        StoredTensor[] sorted = [.. tensors];
        Array.Sort(sorted, static (a, b) => a.DType.BlockBytes != b.DType.BlockBytes
            ? b.DType.BlockBytes.CompareTo(a.DType.BlockBytes)
            : string.CompareOrdinal(a.Name, b.Name));
        ReadOnlyMemory<byte> header = BuildHeader(path, sorted, metadata);

        if (Path.GetFullPath(path).StartsWith("/dev/", StringComparison.Ordinal))
        {
            // A file is written beside its place and renamed into it: that would replace the device itself.
            throw new HadalException($"{path}: is a device; give the path of a file.");
        }

        // Through a link to what it points to, which the rename would otherwise leave as it was.
        string target = File.Exists(path) && File.ResolveLinkTarget(path, returnFinalTarget: true) is { } linked ? linked.FullName : path;
        string partial = target + ".partial";
        try
        {
            using (var stream = new FileStream(partial, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
            {
                Span<byte> length = stackalloc byte[8];
                BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
                stream.Write(length);
                stream.Write(header.Span);
                foreach (StoredTensor t in sorted)
                {
                    const int MaxChunk = 1 << 30;
                    for (long at = 0; at < t.ByteLength; at += MaxChunk)
                    {
                        stream.Write(new ReadOnlySpan<byte>(t.Data + at, (int)Math.Min(MaxChunk, t.ByteLength - at)));
                    }
                }

                stream.Flush(flushToDisk: true);
            }

            File.Move(partial, target, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            try
            {
                File.Delete(partial);
            }
            catch (Exception inner) when (inner is IOException or UnauthorizedAccessException)
            {
                // The first failure is the one to report.
            }

            throw new HadalException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    private static ReadOnlyMemory<byte> BuildHeader(string path, StoredTensor[] sorted, IReadOnlyDictionary<string, string>? metadata)
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
            foreach (StoredTensor t in sorted)
            {
                if (!names.Add(t.Name) || t.Name == "__metadata__")
                {
                    throw new HadalException($"{path}: cannot write a tensor named '{t.Name}' {(t.Name == "__metadata__" ? "(the name is reserved)" : "twice")}");
                }

                string dtype = SafetensorsDTypes.NameOf(t.DType)
                    ?? throw new HadalException($"{path}: tensor '{t.Name}' is {t.DType}, which safetensors cannot hold; dequantise it first");
                long expected = checked(t.NumElements * t.DType.BlockBytes);
                if (t.ByteLength != expected)
                {
                    throw new HadalException($"{path}: tensor '{t.Name}' has {t.ByteLength} bytes, but {dtype} [{string.Join(", ", t.Shape)}] takes {expected}");
                }

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
                json.WriteNumberValue(at += t.ByteLength);
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
