using System.Buffers.Binary;
using Hadal.Numerics;

namespace Hadal.Formats.Safetensors;

/// <summary>Writes safetensors files as the reference implementation lays them out.</summary>
public static unsafe class SafetensorsWriter
{
    /// <summary>Writes beside, flushes to disk, then renames: a reader sees the old file or the whole new one, never a part.</summary>
    /// <param name="path">The file to make or replace.</param>
    /// <param name="tensors">Names must differ; the memory must stay valid until this returns.</param>
    /// <param name="metadata">The header's <c>__metadata__</c>.</param>
    /// <exception cref="HadalException">A name comes twice, a type has no name in safetensors, bytes do not fit the shape, or the disk refuses.</exception>
    public static void Write(string path, IReadOnlyList<StoredTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        StoredTensor[] sorted = [.. tensors];
        Array.Sort(sorted, static (a, b) => SafetensorsLayout.Compare(a.DType, a.Name, b.DType, b.Name));
        foreach (StoredTensor t in sorted)
        {
            if (SafetensorsDTypes.NameOf(t.DType) is { } dtype && t.ByteLength != checked(t.NumElements * t.DType.BlockBytes))
            {
                throw new HadalException($"{path}: tensor '{t.Name}' has {t.ByteLength} bytes, but {dtype} [{string.Join(", ", t.Shape)}] takes {t.NumElements * t.DType.BlockBytes}");
            }
        }

        ReadOnlyMemory<byte> header = SafetensorsLayout.BuildHeader(path, [.. sorted.Select(t => new TensorPlan(t.Name, t.DType, [.. t.Shape]))], metadata);

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
}
