using System.IO.MemoryMappedFiles;
using System.Reflection;
using System.Runtime.InteropServices;
using Hadal.Numerics;

namespace Hadal.Formats.Checkpoints;

/// <summary>A whole file mapped read-only. Thread-safe but for <see cref="Dispose"/>.</summary>
/// <remarks>
/// The operating system reads pages when they are touched: a file that another process truncates while it is mapped kills this
/// process (SIGBUS), so checkpoints must be replaced by rename, never rewritten in place.
/// </remarks>
public sealed unsafe partial class MappedFile : IDisposable
{
    // Linux: asm-generic/mman-common.h.
    private const int MadvWillNeed = 3;
    private const int MadvDontNeed = 4;

    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _data;
    private int _disposed;

    private MappedFile(string path, MemoryMappedFile? file, MemoryMappedViewAccessor? view, byte* data, long length)
    {
        Path = path;
        _file = file;
        _view = view;
        _data = data;
        Length = length;
    }

    public string Path { get; }

    public long Length { get; }

    /// <summary>First byte of the file; null for an empty one.</summary>
    public byte* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_disposed != 0, this);
            return _data;
        }
    }

    /// <exception cref="HadalException">The file does not exist, is a folder or may not be read.</exception>
    public static MappedFile Open(string path)
    {
        FileStream? stream = null;
        MemoryMappedFile? file = null;
        MemoryMappedViewAccessor? view = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            long length = stream.Length;
            if (length == 0)
            {
                // An empty file cannot be mapped.
                stream.Dispose();
                return new MappedFile(path, null, null, null, 0);
            }

            file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
            byte* data = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref data);
            return new MappedFile(path, file, view, data + view.PointerOffset, length);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            view?.Dispose();
            file?.Dispose();
            stream?.Dispose();
            throw new HadalException($"{path}: cannot be opened: {e.Message}", e);
        }
    }

    /// <summary>A resource embedded in an assembly, as it lies in the mapped program file: nothing is copied.</summary>
    /// <exception cref="HadalException">The assembly has no resource of this name.</exception>
    public static MappedFile OfResource(Assembly assembly, string name)
    {
        if (assembly.GetManifestResourceStream(name) is not UnmanagedMemoryStream stream)
        {
            throw new HadalException($"{assembly.GetName().Name}: has no embedded resource '{name}'");
        }

        using (stream)
        {
            // The memory is the loaded program's own and outlives the stream.
            return new MappedFile(name, null, null, stream.PositionPointer, stream.Length);
        }
    }

    /// <summary>The bytes [offset, offset + count); the caller has checked that they lie within the file.</summary>
    public ReadOnlySpan<byte> Bytes(long offset, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset, Length - count);
        return new ReadOnlySpan<byte>(Data + offset, count);
    }

    /// <summary>Asks the operating system to read a tensor's pages now, before they are touched: call for the next tensor while working on this one.</summary>
    public static void Prefetch(StoredTensor tensor) => Advise(tensor.Data, tensor.ByteLength, MadvWillNeed, inward: false);

    /// <summary>
    /// Lets go of a tensor's pages once it was copied elsewhere, so that loading does not hold the weights twice.
    /// They are read again when touched again: the tensor stays valid.
    /// </summary>
    /// <remarks>Only for memory that is mapped from a file: on any other, the contents would be lost.</remarks>
    internal static void Release(StoredTensor tensor) => Advise(tensor.Data, tensor.ByteLength, MadvDontNeed, inward: true);

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _disposed, 1) == 0)
        {
            _data = null;
            if (_view is not null)
            {
                _view.SafeMemoryMappedViewHandle.ReleasePointer();
                _view.Dispose();
            }

            _file?.Dispose();
        }
    }

    /// <param name="data">Start of the range.</param>
    /// <param name="byteLength">Length of the range.</param>
    /// <param name="advice">One of the MADV values.</param>
    /// <param name="inward">Whole pages only, so that neighbours are left alone; else every page that the range touches.</param>
    private static void Advise(byte* data, long byteLength, int advice, bool inward)
    {
        if (!OperatingSystem.IsLinux() || byteLength <= 0)
        {
            return;
        }

        nuint page = (nuint)Environment.SystemPageSize;
        nuint first = (nuint)data;
        nuint end = first + (nuint)byteLength;
        first = inward ? (first + page - 1) / page * page : first / page * page;
        end = inward ? end / page * page : end;
        if (end > first)
        {
            // Advice only: a refusal changes nothing but speed.
            _ = MAdvise((void*)first, end - first, advice);
        }
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MAdvise(void* address, nuint length, int advice);
}
