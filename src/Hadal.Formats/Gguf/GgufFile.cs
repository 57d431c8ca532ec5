using System.Diagnostics.CodeAnalysis;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Gguf;

/// <summary>One GGUF file, version 2 or 3, mapped; its header is checked in full before anything is handed out. Thread-safe but for <see cref="Dispose"/>.</summary>
/// <remarks>
/// Layout, little-endian: "GGUF", u32 version, u64 tensors, u64 metadata pairs; the pairs; the tensor infos; padding; the tensors.
/// Source: github.com/ggml-org/ggml, docs/gguf.md.
/// </remarks>
public sealed unsafe class GgufFile : IDisposable
{
    private const uint Magic = 0x46554747;
    private const int MaxDimensions = 4;

    private readonly MappedFile _file;
    private readonly Dictionary<string, GgufValue> _metadata;
    private readonly Dictionary<string, GgufTensorInfo> _tensors;

    private GgufFile(MappedFile file, uint version, Dictionary<string, GgufValue> metadata, Dictionary<string, GgufTensorInfo> tensors)
    {
        _file = file;
        Version = version;
        _metadata = metadata;
        _tensors = tensors;
    }

    public string Path => _file.Path;

    public long ByteLength => _file.Length;

    public uint Version { get; }

    /// <summary>All metadata in the order of the file. Values live as long as this file.</summary>
    public IReadOnlyDictionary<string, GgufValue> Metadata => _metadata;

    /// <summary>All tensors in the order of the file.</summary>
    public IReadOnlyCollection<GgufTensorInfo> Tensors => _tensors.Values;

    /// <exception cref="HadalException">The file is absent, unreadable or not valid GGUF.</exception>
    public static GgufFile Open(string path)
    {
        MappedFile file = MappedFile.Open(path);
        try
        {
            return Read(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public bool TryGetTensor(string name, [NotNullWhen(true)] out GgufTensorInfo? info) => _tensors.TryGetValue(name, out info);

    /// <summary>Where a tensor's bytes lie in memory; they live as long as this file.</summary>
    public byte* DataOf(GgufTensorInfo info) => _file.Data + info.Offset;

    public void Dispose() => _file.Dispose();

    private static GgufFile Read(MappedFile file)
    {
        var cursor = new GgufCursor(file);
        if (file.Length < 4 || cursor.ReadUInt32("magic") != Magic)
        {
            throw new HadalException($"{file.Path}: does not begin with 'GGUF'; this is no GGUF file");
        }

        uint version = cursor.ReadUInt32("version");
        if (version is not (2 or 3))
        {
            throw cursor.Bad(4, (version & 0xFFFF) == 0
                ? "the file is big-endian, expected little-endian; convert it anew for this machine"
                : $"GGUF version is {version}, expected 2 or 3; convert the model anew");
        }

        // The least that a tensor info (name, one dimension) and a metadata pair (one byte of key and value) take.
        long numTensors = cursor.ReadCount("number of tensors", 33);
        long numPairs = cursor.ReadCount("number of metadata pairs", 14);
        var metadata = new Dictionary<string, GgufValue>(StringComparer.Ordinal);
        for (long i = 0; i < numPairs; i++)
        {
            long start = cursor.Position;
            string key = cursor.ReadName($"metadata key {i}");
            if (!metadata.TryAdd(key, cursor.ReadValue(key)))
            {
                throw cursor.Bad(start, $"metadata {HostileText.Quote(key)} comes twice");
            }
        }

        long alignment = 32;
        if (metadata.TryGetValue("general.alignment", out GgufValue? a))
        {
            alignment = a.AsInteger();
            if (alignment is < 1 or > 1 << 20 || (alignment & (alignment - 1)) != 0)
            {
                throw new HadalException($"{file.Path}: metadata 'general.alignment' is {alignment}, expected a power of two up to {1 << 20}");
            }
        }

        return new GgufFile(file, version, metadata, ReadTensors(cursor, file, numTensors, alignment));
    }

    private static Dictionary<string, GgufTensorInfo> ReadTensors(GgufCursor cursor, MappedFile file, long numTensors, long alignment)
    {
        var raw = new List<(string Name, uint Type, long[] Shape, ulong Offset)>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (long i = 0; i < numTensors; i++)
        {
            long start = cursor.Position;
            string name = cursor.ReadName($"name of tensor {i}");
            if (!names.Add(name))
            {
                throw cursor.Bad(start, $"tensor {HostileText.Quote(name)} comes twice");
            }

            uint numDimensions = cursor.ReadUInt32($"dimensions of tensor {HostileText.Quote(name)}");
            if (numDimensions is 0 or > MaxDimensions)
            {
                throw cursor.Bad(start, $"tensor {HostileText.Quote(name)} has {numDimensions} dimensions, expected 1 to {MaxDimensions}");
            }

            long[] shape = new long[numDimensions];
            for (int d = shape.Length - 1; d >= 0; d--)
            {
                ulong n = cursor.ReadUInt64($"shape of tensor {HostileText.Quote(name)}");
                shape[d] = n is > 0 and <= long.MaxValue ? (long)n : throw cursor.Bad(start, $"tensor {HostileText.Quote(name)} has a dimension of {n}, expected 1 to 2^63 - 1");
            }

            uint type = cursor.ReadUInt32($"type of tensor {HostileText.Quote(name)}");
            raw.Add((name, type, shape, cursor.ReadUInt64($"offset of tensor {HostileText.Quote(name)}")));
        }

        long dataStart = (cursor.Position + alignment - 1) / alignment * alignment;
        long dataBytes = Math.Max(0, file.Length - dataStart);

        int[] byOffset = [.. Enumerable.Range(0, raw.Count)];
        ulong[] offsets = [.. raw.Select(static r => r.Offset)];
        Array.Sort(offsets, byOffset);
        var infos = new GgufTensorInfo[raw.Count];
        long end = 0;
        string before = "";
        for (int k = 0; k < byOffset.Length; k++)
        {
            (string name, uint type, long[] shape, ulong offset) = raw[byOffset[k]];
            HadalException Bad(string what) => new($"{file.Path}: tensor {HostileText.Quote(name)} ({GgmlTypes.NameOf(type)} [{string.Join(", ", shape)}]): {what}");

            if (offset > (ulong)dataBytes || (long)offset % alignment != 0)
            {
                throw Bad($"data offset is {offset}, expected a multiple of {alignment} within the {dataBytes} bytes of tensors (which begin at file offset {dataStart}); the file is cut off or broken");
            }

            if ((long)offset < end)
            {
                throw Bad($"begins at data offset {offset}, inside {HostileText.Quote(before)}, which ends at {end}: tensors must not overlap");
            }

            long available = dataBytes - (long)offset;
            DType? dtype = GgmlTypes.DTypeOf(type);
            long bytes = dtype is { } known
                ? BytesOf(known, shape, available, Bad)
                : (k + 1 < offsets.Length ? (long)Math.Min(offsets[k + 1], (ulong)dataBytes) : dataBytes) - (long)offset;
            infos[byOffset[k]] = new GgufTensorInfo(name, GgmlTypes.NameOf(type), dtype, shape, dataStart + (long)offset, bytes);
            end = (long)offset + bytes;
            before = name;
        }

        var tensors = new Dictionary<string, GgufTensorInfo>(infos.Length, StringComparer.Ordinal);
        foreach (GgufTensorInfo info in infos)
        {
            tensors.Add(info.Name, info);
        }

        return tensors;
    }

    private static long BytesOf(DType dtype, long[] shape, long available, Func<string, HadalException> bad)
    {
        if (shape[^1] % dtype.BlockElements != 0)
        {
            throw bad($"a row has {shape[^1]} elements, expected a multiple of {dtype.BlockElements}, the block of {dtype}");
        }

        UInt128 bytes = (UInt128)(ulong)(shape[^1] / dtype.BlockElements) * (ulong)dtype.BlockBytes;
        for (int d = shape.Length - 2; d >= 0 && bytes <= long.MaxValue; d--)
        {
            bytes *= (ulong)shape[d];
        }

        return bytes <= (ulong)available ? (long)bytes : throw bad($"takes {(bytes > long.MaxValue ? "more than 2^63" : bytes.ToString())} bytes, but {available} are left in the file; it is cut off or broken");
    }
}
