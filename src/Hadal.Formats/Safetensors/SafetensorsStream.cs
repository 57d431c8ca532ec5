using System.Buffers.Binary;
using Hadal.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Hadal.Formats.Safetensors;

/// <summary>
/// A safetensors file whose tensors come one by one, in any order and in pieces: their places are known from names, types and shapes before any is there,
/// so that nothing is held in memory. Written beside its place, flushed to disk and renamed when all is there; disposed before that, nothing is left.
/// </summary>
/// <remarks>Different tensors may be written by different threads; one tensor's pieces come in order.</remarks>
public sealed class SafetensorsStream : IDisposable
{
    private readonly Dictionary<string, Place> _places = new(StringComparer.Ordinal);
    private readonly string _partial;
    private SafeFileHandle? _file;

    /// <param name="path">The file to make or replace.</param>
    /// <param name="tensors">All that will be written; names must differ.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>.</param>
    /// <exception cref="HadalException">A name comes twice, a type has no name in safetensors, or the disk refuses.</exception>
    public SafetensorsStream(string path, IEnumerable<TensorPlan> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        Path = path;
        _partial = path + ".partial";
        TensorPlan[] sorted = [.. tensors];
        Array.Sort(sorted, static (a, b) => SafetensorsLayout.Compare(a.DType, a.Name, b.DType, b.Name));
        ReadOnlyMemory<byte> header = SafetensorsLayout.BuildHeader(path, sorted, metadata);
        long at = 8 + header.Length;
        foreach (TensorPlan t in sorted)
        {
            _places.Add(t.Name, new Place(t, at));
            at += t.ByteLength;
        }

        try
        {
            // Its whole length at once: a full disk shows now, not hours later.
            _file = File.OpenHandle(_partial, FileMode.Create, FileAccess.Write, FileShare.None, FileOptions.None, at);
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
            RandomAccess.Write(_file, length, 0);
            RandomAccess.Write(_file, header.Span, 8);
            RandomAccess.SetLength(_file, at);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Dispose();
            throw new HadalException($"{path}: cannot be written: {e.Message}", e);
        }
    }

    public string Path { get; }

    /// <summary>The next bytes of a tensor.</summary>
    public void Append(string name, ReadOnlySpan<byte> bytes)
    {
        ObjectDisposedException.ThrowIf(_file is null, this);
        if (!_places.TryGetValue(name, out Place? place))
        {
            throw new ArgumentException($"'{name}' was not announced", nameof(name));
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, place.Plan.ByteLength - place.Written, nameof(bytes));
        try
        {
            RandomAccess.Write(_file, bytes, place.Offset + place.Written);
        }
        catch (IOException e)
        {
            throw new HadalException($"{Path}: cannot be written: {e.Message}", e);
        }

        place.Written += bytes.Length;
    }

    /// <summary>Flushes to disk and puts the file in its place.</summary>
    /// <exception cref="InvalidOperationException">A tensor is not whole.</exception>
    public void Complete()
    {
        ObjectDisposedException.ThrowIf(_file is null, this);
        foreach (Place place in _places.Values)
        {
            if (place.Written != place.Plan.ByteLength)
            {
                throw new InvalidOperationException($"{Path}: {place.Written} of {place.Plan.ByteLength} bytes of '{place.Plan.Name}' are written");
            }
        }

        try
        {
            RandomAccess.FlushToDisk(_file);
            _file.Dispose();
            _file = null;
            File.Move(_partial, Path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new HadalException($"{Path}: cannot be written: {e.Message}", e);
        }
    }

    public void Dispose()
    {
        if (_file is null)
        {
            return;
        }

        _file.Dispose();
        _file = null;
        try
        {
            File.Delete(_partial);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What is left over is named so that nobody takes it for a model.
        }
    }

    private sealed class Place(TensorPlan plan, long offset)
    {
        public TensorPlan Plan { get; } = plan;

        public long Offset { get; } = offset;

        public long Written { get; set; }
    }
}
