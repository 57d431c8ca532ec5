using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace Hadal.Cuda;

/// <summary>
/// Assembled kernels on disk, so that a start need not assemble them again. A file is named after the module and the hash of all that its content depends on,
/// carries a checksum, and appears under its name only when it is whole; whatever is not as it should be is made anew.
/// </summary>
/// <remarks>Several processes may share a folder. A folder that cannot be written costs time, never an error: one warning says so.</remarks>
internal sealed class KernelCache
{
    private const int HeaderBytes = 8 + 16 + 16 + 8;

    private readonly string? _folder;
    private readonly Action<string> _warn;
    private int _warned;

    /// <param name="folder">Null keeps nothing.</param>
    /// <param name="warn">Told once when nothing can be kept.</param>
    internal KernelCache(string? folder, Action<string> warn)
    {
        _folder = folder;
        _warn = warn;
    }

    internal delegate byte[] Assembler(ReadOnlySpan<byte> ptx);

    private static ReadOnlySpan<byte> Magic => "HADALK01"u8;

    /// <summary>$HADAL_KERNEL_CACHE, else $XDG_CACHE_HOME/hadal/kernels, else ~/.cache/hadal/kernels; null where there is no home either.</summary>
    internal static string? FindFolder(Func<string, string?> environment)
    {
        if (environment("HADAL_KERNEL_CACHE") is { Length: > 0 } own)
        {
            return own;
        }

        // The XDG base directory specification has relative paths ignored.
        if (environment("XDG_CACHE_HOME") is { Length: > 0 } xdg && Path.IsPathRooted(xdg))
        {
            return Path.Combine(xdg, "hadal", "kernels");
        }

        return environment("HOME") is { Length: > 0 } home ? Path.Combine(home, ".cache", "hadal", "kernels") : null;
    }

    /// <param name="name">The module, part of the file's name.</param>
    /// <param name="ptx">What is assembled.</param>
    /// <param name="tag">Whatever else the result depends on: driver and card.</param>
    /// <param name="assemble">Called when there is no good file.</param>
    internal byte[] Get(string name, ReadOnlySpan<byte> ptx, string tag, Assembler assemble)
    {
        UInt128 key = Key(ptx, tag);
        return TryRead(FileFor(name, key), key) ?? Make(name, key, ptx, assemble);
    }

    /// <summary>As <see cref="Get"/>, whatever lies there.</summary>
    internal byte[] Replace(string name, ReadOnlySpan<byte> ptx, string tag, Assembler assemble) => Make(name, Key(ptx, tag), ptx, assemble);

    internal string? FileFor(string name, ReadOnlySpan<byte> ptx, string tag) => FileFor(name, Key(ptx, tag));

    private static UInt128 Key(ReadOnlySpan<byte> ptx, string tag)
    {
        var hash = new XxHash128();
        hash.Append(Encoding.UTF8.GetBytes(tag + '\0'));
        hash.Append(ptx);
        return hash.GetCurrentHashAsUInt128();
    }

    private string? FileFor(string name, UInt128 key) => _folder is null ? null : Path.Combine(_folder, $"{name}.{key:x32}.cubin");

    private static byte[]? TryRead(string? file, UInt128 key)
    {
        if (file is null)
        {
            return null;
        }

        byte[] bytes;
        try
        {
            if (!File.Exists(file))
            {
                return null;
            }

            bytes = File.ReadAllBytes(file);
        }
        catch (Exception e) when (IsFileTrouble(e))
        {
            return null;
        }

        if (bytes.Length <= HeaderBytes || !bytes.AsSpan().StartsWith(Magic))
        {
            return null;
        }

        ReadOnlySpan<byte> content = bytes.AsSpan(HeaderBytes);
        bool good = BinaryPrimitives.ReadUInt128LittleEndian(bytes.AsSpan(8)) == key
            && BinaryPrimitives.ReadUInt128LittleEndian(bytes.AsSpan(24)) == XxHash128.HashToUInt128(content)
            && BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(40)) == content.Length;
        return good ? content.ToArray() : null;
    }

    private byte[] Make(string name, UInt128 key, ReadOnlySpan<byte> ptx, Assembler assemble)
    {
        byte[] image = assemble(ptx);
        if (FileFor(name, key) is { } file)
        {
            TryWrite(file, key, image);
        }

        return image;
    }

    private void TryWrite(string file, UInt128 key, byte[] image)
    {
        string beside = $"{file}.{Guid.NewGuid():n}.tmp";
        try
        {
            Directory.CreateDirectory(_folder!);
            byte[] header = new byte[HeaderBytes];
            Magic.CopyTo(header);
            BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(8), key);
            BinaryPrimitives.WriteUInt128LittleEndian(header.AsSpan(24), XxHash128.HashToUInt128(image));
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(40), image.Length);
            using (var stream = new FileStream(beside, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(header);
                stream.Write(image);
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, file, overwrite: true);
        }
        catch (Exception e) when (IsFileTrouble(e))
        {
            TryDelete(beside);
            if (Interlocked.Exchange(ref _warned, 1) == 0)
            {
                _warn($"warning: assembled kernels cannot be kept in {_folder} ({e.Message}); every start assembles them anew. HADAL_KERNEL_CACHE names another folder.");
            }
        }
    }

    private static void TryDelete(string file)
    {
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (IsFileTrouble(e))
        {
            // It was never there, or stays as litter.
        }
    }

    private static bool IsFileTrouble(Exception e) => e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException;
}
