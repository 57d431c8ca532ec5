using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>One safetensors file, mapped, its header checked in full before anything is handed out.</summary>
/// <remarks>
/// Layout: u64 little-endian header length N, N bytes of JSON, then the tensors without gaps in the order of their offsets.
/// Source: github.com/huggingface/safetensors, README "Format". Tensors need not be aligned in memory: N may be odd.
/// </remarks>
public sealed unsafe class SafetensorsFile : IDisposable
{
    /// <summary>The limit of the reference implementation.</summary>
    public const long MaxHeaderBytes = 100_000_000;

    private readonly MappedFile _file;
    private readonly Dictionary<string, SafetensorsTensor> _tensors;

    private SafetensorsFile(MappedFile file, Dictionary<string, SafetensorsTensor> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        _file = file;
        _tensors = tensors;
        Metadata = metadata;
    }

    public string Path => _file.Path;

    public long ByteLength => _file.Length;

    /// <summary>The header's <c>__metadata__</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    public IReadOnlyCollection<SafetensorsTensor> Tensors => _tensors.Values;

    /// <exception cref="HadalException">The file is absent, unreadable or not valid safetensors.</exception>
    public static SafetensorsFile Open(string path) => Open(MappedFile.Open(path));

    /// <summary>As <see cref="Open(string)"/>, over a file that is mapped already; it is disposed with this.</summary>
    public static SafetensorsFile Open(MappedFile file)
    {
        string path = file.Path;
        try
        {
            if (file.Length < 8)
            {
                throw new HadalException($"{path}: {file.Length} bytes is too short for a safetensors file (8 bytes of header length come first); was the download cut off?");
            }

            ulong headerBytes = BinaryPrimitives.ReadUInt64LittleEndian(file.Bytes(0, 8));
            long limit = Math.Min(file.Length - 8, MaxHeaderBytes);
            if (headerBytes > (ulong)limit)
            {
                throw new HadalException($"{path}: offset 0: header length is {headerBytes}, at most {limit} is possible in this file of {file.Length} bytes; it is cut off or not a safetensors file");
            }

            long dataStart = 8 + (long)headerBytes;
            SafetensorsHeader header = SafetensorsHeader.Parse(file.Bytes(8, (int)headerBytes), path, dataStart, file.Length);
            return new SafetensorsFile(file, header.Tensors, header.Metadata);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public bool Contains(string name) => _tensors.ContainsKey(name);

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (!_tensors.TryGetValue(name, out SafetensorsTensor? t))
        {
            tensor = null;
            return false;
        }

        tensor = new StoredTensor(t.Name, t.DType, [.. t.Shape], _file.Data + t.Offset, t.ByteLength, $"{Path} @ {t.Offset}");
        return true;
    }

    public void Dispose() => _file.Dispose();
}
