using System.Collections.Concurrent;
using Hadal.Jit;
using Hadal.Numerics;
using Microsoft.Win32.SafeHandles;

namespace Hadal.Graph.Cpu.Packing;

/// <summary>Packed weights on disk, one file for each, named by a hash of all that its bytes depend on (<see cref="PackKey"/>).</summary>
/// <remarks>
/// <para>
/// Files are read into the memory that packing would have filled, not mapped: 2 MiB pages, near the worker that computes with them, and what was checked
/// is what is used, whatever becomes of the file. One that is not what it should be is named to the user, and the weight packed and written anew.
/// </para>
/// <para>
/// A thread of its own writes, beside the packing of what follows: to a file with another name, flushed, then renamed. So two processes that fill at once
/// replace each other's files by equal ones, and one that is stopped leaves no half file under a final name. Failing to write is told once and fails nothing.
/// </para>
/// <para>Checksums find damage, not forgery: who may write the folder may change the weights.</para>
/// <para>One caller at a time.</para>
/// </remarks>
internal sealed class PackCache : IDisposable
{
    internal const string PartialExtension = ".partial";

    // A file being written is locked as well, where the file system has locks.
    private static readonly TimeSpan _partialLife = TimeSpan.FromMinutes(1);

    private readonly string _folder;
    private readonly WorkerPool _pool;
    private readonly Action<string>? _notice;
    private readonly BlockingCollection<(PackKey Key, RegionChunks Content)> _toWrite = [];
    private readonly HashSet<PackKey> _asked = [];
    private readonly CancellationTokenSource _stop = new();
    private readonly ManualResetEventSlim _allWritten = new();
    private Thread? _writer;
    private int _numRead;
    private int _numPacked;
    private int _numWritten;
    private int _numFailed;
    private string? _failure;
    private bool _disposed;

    /// <param name="folder">Where; made when something is written.</param>
    /// <param name="pool">Workers that hash and read.</param>
    /// <param name="notice">Told what was wrong with files.</param>
    public PackCache(string folder, WorkerPool pool, Action<string>? notice)
    {
        // Absolute, so that messages say where, and a change of the working folder changes nothing.
        _folder = Path.GetFullPath(folder);
        _pool = pool;
        _notice = notice;
        DeleteStale();
    }

    /// <summary>Called by the writer before each chunk: for tests of what may happen there.</summary>
    internal Action<int>? BeforeWrite { get; init; }

    /// <summary>Cancelled by <see cref="Dispose"/>.</summary>
    internal CancellationToken Stopping => _stop.Token;

    public PackCacheUse Use => new(_numRead, _numPacked, Volatile.Read(ref _numWritten));

    public string PathOf(PackKey key) => Path.Combine(_folder, key + PackFile.Extension);

    /// <summary>Fills memory, which is zeros, with the packed weight of a key.</summary>
    /// <returns>False where there is none that is whole: then the memory is zeros again.</returns>
    public bool TryRead(PackKey key, params ReadOnlySpan<NativeRegion> memory)
    {
        string path = PathOf(key);
        string? wrong;
        try
        {
            wrong = Read(path, key, new RegionChunks(memory), out bool isThere);
            if (!isThere)
            {
                _numPacked++;
                return false;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            wrong = $"cannot be read: {e.Message}";
        }

        if (wrong is null)
        {
            _numRead++;
            return true;
        }

        _numPacked++;
        _notice?.Invoke($"{path}: {wrong}. The weight is packed again, and the file replaced.");
        return false;
    }

    /// <summary>Writes a packed weight, later: its memory must stay as it is until <see cref="Complete"/> or <see cref="Dispose"/>.</summary>
    public void Write(PackKey key, params ReadOnlySpan<NativeRegion> memory)
    {
        // Equal weights of one model are written once.
        if (!_asked.Add(key))
        {
            return;
        }

        if (_writer is null)
        {
            _writer = new Thread(WriteAll) { IsBackground = true, Name = "hadal-pack-cache" };
            _writer.Start();
        }

        _toWrite.Add((key, new RegionChunks(memory)), CancellationToken.None);
    }

    /// <summary>Waits until everything is written, and says what could not be. Nothing more can be written then.</summary>
    public void Complete(CancellationToken cancellationToken)
    {
        _toWrite.CompleteAdding();
        if (_writer is not null)
        {
            _allWritten.Wait(cancellationToken);
        }

        if (_failure is not null)
        {
            string others = _numFailed == 1 ? "" : $" Nor can {_numFailed - 1} more.";
            _notice?.Invoke($"{_failure}.{others} What is not in the cache is packed again at the next start.");
            _failure = null;
        }
    }

    /// <summary>Stops writing; what is not yet under its final name is deleted.</summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stop.Cancel();
        _toWrite.CompleteAdding();
        _writer?.Join();
        _toWrite.Dispose();
        _stop.Dispose();
        _allWritten.Dispose();
    }

    /// <returns>What is wrong with the file; null if nothing is, or none is there.</returns>
    private string? Read(string path, PackKey key, RegionChunks content, out bool isThere)
    {
        isThere = true;
        var info = new FileInfo(path);
        if (info.LinkTarget is { } target)
        {
            return $"is a symbolic link, to {target}";
        }

        if (Directory.Exists(path))
        {
            return "is a folder";
        }

        if (!info.Exists)
        {
            isThere = false;
            return null;
        }

        // Before it is opened: pipes and devices, which might not end, have no length.
        long expected = PackFile.HeaderBytes + content.ByteLength;
        if (info.Length != expected)
        {
            return $"has {info.Length} bytes, expected {expected}";
        }

        using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
        Span<byte> header = stackalloc byte[PackFile.HeaderBytes];
        PackFile.ReadExactly(file, header, 0);
        if (PackFile.Check(header, key, content.ByteLength, out UInt128 checksum) is { } wrong)
        {
            return wrong;
        }

        bool whole = false;
        try
        {
            whole = content.Read(_pool, file, PackFile.HeaderBytes) == checksum;
        }
        finally
        {
            if (!whole)
            {
                // Packing leaves alone what must be zeros.
                content.Clear();
            }
        }

        return whole ? null : "is damaged: the checksum of its packed bytes is wrong";
    }

    private void WriteAll()
    {
        try
        {
            foreach ((PackKey key, RegionChunks content) in _toWrite.GetConsumingEnumerable(_stop.Token))
            {
                WriteOne(PathOf(key), key, content);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped: whoever did it does not ask what was written.
        }
        finally
        {
            _allWritten.Set();
        }
    }

    private void WriteOne(string path, PackKey key, RegionChunks content)
    {
        // Not shared with another process that fills the same folder, nor with one that died.
        string partial = $"{path}.{Guid.NewGuid():N}{PartialExtension}";
        try
        {
            Directory.CreateDirectory(_folder);
            using (SafeFileHandle file = File.OpenHandle(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None, FileOptions.None, PackFile.HeaderBytes + content.ByteLength))
            {
                for (int i = 0; i < content.Count; i++)
                {
                    _stop.Token.ThrowIfCancellationRequested();
                    BeforeWrite?.Invoke(i);
                    Span<byte> memory = content.Memory(i, out long offset);
                    RandomAccess.Write(file, memory, PackFile.HeaderBytes + offset);
                    content.HashChunk(i);
                }

                RandomAccess.Write(file, PackFile.Header(key, content.ByteLength, content.CombineHashes()), 0);
                RandomAccess.FlushToDisk(file);
            }

            _stop.Token.ThrowIfCancellationRequested();
            File.Move(partial, path, overwrite: true);
            Interlocked.Increment(ref _numWritten);
        }
        catch (OperationCanceledException)
        {
            TryDelete(partial);
            throw;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            TryDelete(partial);
            _numFailed++;
            _failure ??= $"{path}: cannot be written to the pack cache: {e.Message.TrimEnd('.')}";
        }
    }

    /// <summary>Deletes what processes that died while writing have left.</summary>
    private void DeleteStale()
    {
        try
        {
            if (!Directory.Exists(_folder))
            {
                return;
            }

            foreach (string partial in Directory.EnumerateFiles(_folder, $"*{PackFile.Extension}.*{PartialExtension}"))
            {
                if (TimeProvider.System.GetUtcNow().UtcDateTime - File.GetLastWriteTimeUtc(partial) < _partialLife)
                {
                    continue;
                }

                try
                {
                    using (File.OpenHandle(partial, FileMode.Open, FileAccess.ReadWrite, FileShare.None))
                    {
                        // Nobody writes it: then it would be locked.
                    }
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    continue;
                }

                TryDelete(partial);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // A folder that cannot be listed: what matters of that shows when it is read and written.
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What led here is the failure to report; the next start tries again.
        }
    }
}
