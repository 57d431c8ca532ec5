using System.Buffers.Binary;
using System.Diagnostics;
using System.IO.Hashing;
using Hadal.Graph.Cpu.Packing;
using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;
using Hadal.Numerics;

namespace Hadal.Graph.Tests.Cpu.Packing;

/// <summary>What comes back from the folder is what packing gives, to the bit, or nothing.</summary>
public sealed class PackCacheTests : IDisposable
{
    /// <summary>Together they are packed as every kind.</summary>
    internal static readonly DType[] StoredTypes =
        [DType.Bf16, DType.I8, DType.F8E4M3, DType.Q8_0, DType.Q5_0, DType.Q4_0, DType.Q4_1, DType.Q4_K, DType.Q5_1, DType.Q5_K, DType.Q6_K];

    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("hadal-pack-");
    private readonly WorkerPool _pool = new(2);
    private readonly NativeArena _arena = new();
    private readonly List<string> _notices = [];

    private string Folder => Path.Combine(_parent.FullName, "cache");

    [Fact]
    public void StoredTypes_CoverEveryKind()
    {
        var kinds = new HashSet<PackedKind>();
        foreach (DType dtype in StoredTypes)
        {
            using var weight = new RandomWeight(dtype, 16, 256);
            kinds.Add(weight.Kind);
        }

        Assert.Equal(Enum.GetValues<PackedKind>(), kinds.Order());
    }

    public static TheoryData<DType, PackedKind?> Cases()
    {
        var data = new TheoryData<DType, PackedKind?>();
        foreach (DType dtype in StoredTypes)
        {
            data.Add(dtype, null);
        }

        data.Add(DType.Bf16, PackedKind.Int8);
        data.Add(DType.Q4_K, PackedKind.Int8);
        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Read_WhatWasWritten_IsBitEqualToPacking(DType dtype, PackedKind? asked)
    {
        // The last panel is not full; there are several chunks.
        using var weight = new RandomWeight(dtype, 1003, 768);
        PackedKind kind = asked ?? weight.Kind;
        PackedMatrix packed = WeightPacker.Pack(_pool, weight.Matrix, kind, _arena);
        PackKey key = PackKey.Of(_pool, weight.Matrix, packed);
        using (PackCache cache = Open())
        {
            PackedMatrix none = WeightPacker.Reserve(weight.Matrix, kind, _arena);
            Assert.False(cache.TryRead(key, none.Storage));
            cache.Write(key, packed.Storage);
            cache.Complete(CancellationToken.None);
            Assert.Equal(new PackCacheUse(0, 1, 1), cache.Use);
        }

        foreach (int workers in new[] { 1, 3 })
        {
            using var crew = new WorkerPool(workers);
            using var cache = new PackCache(Folder, crew, _notices.Add);
            PackedMatrix read = WeightPacker.Reserve(weight.Matrix, kind, _arena);
            Assert.True(cache.TryRead(key, read.Storage));
            Assert.Equal(RandomWeight.Copy(packed.Storage), RandomWeight.Copy(read.Storage));
            Assert.Equal(new PackCacheUse(1, 0, 0), cache.Use);
        }

        Assert.Empty(_notices);
    }

    [Theory]
    [InlineData(DType.Bf16, 128, 128)]
    [InlineData(DType.Q8_0, 128, 64)]
    [InlineData(DType.F8E4M3, 128, 128)]
    // Blocks of scales reach over heads: values are packed as bf16.
    [InlineData(DType.F8E4M3, 64, 32)]
    public void Read_LatentHeads_AreBitEqualToPacking(DType dtype, int nope, int value)
    {
        var shape = new MlaShape(4, 256, 16, nope, value);
        using var kvB = new RandomWeight(dtype, 4 * (nope + value), 256);
        PackedLatentHeads packed = LatentHeadPacker.Pack(_pool, kvB.Matrix, kvB.Kind, shape, _arena);
        PackKey key = PackKey.Of(_pool, kvB.Matrix, shape, packed);
        using (PackCache cache = Open())
        {
            cache.Write(key, packed.Storage());
            cache.Complete(CancellationToken.None);
        }

        using PackCache again = Open();
        PackedLatentHeads read = LatentHeadPacker.Reserve(kvB.Matrix, kvB.Kind, shape, _arena);
        Assert.True(again.TryRead(key, read.Storage()));
        Assert.Equal(RandomWeight.Copy(packed.Storage()), RandomWeight.Copy(read.Storage()));
        Assert.Empty(_notices);
    }

    public static TheoryData<string, string> Damages() => new()
    {
        { "empty", "has 0 bytes, expected" },
        { "truncated", "bytes, expected" },
        { "longer", "bytes, expected" },
        { "magic", "does not begin as" },
        { "version", "format version 7, expected 1" },
        { "header bit", "checksum of its header" },
        { "length", "says that it holds 5 packed bytes" },
        { "another weight", "not the one that it is named after" },
        { "first bit", "checksum of its packed bytes" },
        { "last bit", "checksum of its packed bytes" },
        { "chunks exchanged", "checksum of its packed bytes" },
        { "folder", "is a folder" },
        { "link", "is a symbolic link" },
        { "dangling link", "is a symbolic link" },
        { "pipe", "has 0 bytes, expected" },
        { "unreadable", "cannot be read" },
    };

    [Theory]
    [MemberData(nameof(Damages))]
    public void Read_FileThatIsNotWhatItShouldBe_IsNamedAndReplaced(string damage, string said)
    {
        Assert.SkipWhen(damage == "unreadable" && Environment.IsPrivilegedProcess, "root may read everything");
        using var weight = new RandomWeight(DType.I8, 1003, 768);
        PackedMatrix packed = WeightPacker.Pack(_pool, weight.Matrix, weight.Kind, _arena);
        PackKey key = PackKey.Of(_pool, weight.Matrix, packed);
        string path;
        using (PackCache cache = Open())
        {
            path = cache.PathOf(key);
            cache.Write(key, packed.Storage);
            cache.Complete(CancellationToken.None);
        }

        byte[] whole = File.ReadAllBytes(path);
        Damage(damage, path, whole);
        PackedMatrix read = WeightPacker.Reserve(weight.Matrix, weight.Kind, _arena);
        using (PackCache cache = Open())
        {
            Assert.False(cache.TryRead(key, read.Storage));
            string notice = Assert.Single(_notices);
            Assert.Contains(path, notice, StringComparison.Ordinal);
            Assert.Contains(said, notice, StringComparison.Ordinal);
            Assert.Equal(-1, RandomWeight.Copy(read.Storage).AsSpan().IndexOfAnyExcept((byte)0));
            WeightPacker.Fill(_pool, weight.Matrix, read);
            Assert.Equal(RandomWeight.Copy(packed.Storage), RandomWeight.Copy(read.Storage));
            cache.Write(key, read.Storage);
            cache.Complete(CancellationToken.None);
            if (damage == "folder")
            {
                // Nothing of a cache: it is left, and said.
                Assert.Equal(2, _notices.Count);
                Assert.Contains(path, _notices[1], StringComparison.Ordinal);
                Assert.Equal(0, cache.Use.NumWritten);
                return;
            }
        }

        Assert.Single(_notices);
        Assert.Null(new FileInfo(path).LinkTarget);
        Assert.Equal(whole, File.ReadAllBytes(path));
        if (damage == "link")
        {
            Assert.Equal(whole, File.ReadAllBytes(path + ".elsewhere"));
        }

        AssertOnlyFinal();
    }

    [Fact]
    public void Read_FileThatIsWhole_HasNothingSaidOfIt()
    {
        // What the damages above are compared with: the same file, touched and put back.
        using var weight = new RandomWeight(DType.I8, 1003, 768);
        PackedMatrix packed = WeightPacker.Pack(_pool, weight.Matrix, weight.Kind, _arena);
        PackKey key = PackKey.Of(_pool, weight.Matrix, packed);
        using PackCache cache = Open();
        cache.Write(key, packed.Storage);
        cache.Complete(CancellationToken.None);
        File.WriteAllBytes(cache.PathOf(key), File.ReadAllBytes(cache.PathOf(key)));
        Assert.True(cache.TryRead(key, WeightPacker.Reserve(weight.Matrix, weight.Kind, _arena).Storage));
        Assert.Empty(_notices);
    }

    [Fact]
    public void Write_OfSeveralAtOnce_LeavesWholeFilesAlone()
    {
        const int Weights = 12;
        RandomWeight[] weights = [.. Enumerable.Range(0, Weights).Select(i => new RandomWeight(DType.Q4_0, 256, 512, i))];
        PackedMatrix[] packed = [.. weights.Select(w => WeightPacker.Pack(_pool, w.Matrix, w.Kind, _arena))];
        PackKey[] keys = [.. weights.Zip(packed, (w, p) => PackKey.Of(_pool, w.Matrix, p))];
        int wrong = 0;
        var notices = new System.Collections.Concurrent.ConcurrentQueue<string>();
        Thread[] threads = [.. Enumerable.Range(0, 4).Select(t => new Thread(() =>
        {
            using var crew = new WorkerPool(1);
            using var arena = new NativeArena();
            for (int round = 0; round < 5; round++)
            {
                using var cache = new PackCache(Folder, crew, notices.Enqueue);
                for (int i = 0; i < Weights; i++)
                {
                    PackedMatrix read = WeightPacker.Reserve(weights[i].Matrix, weights[i].Kind, arena);
                    if (cache.TryRead(keys[i], read.Storage) && !RandomWeight.Copy(read.Storage).AsSpan().SequenceEqual(RandomWeight.Copy(packed[i].Storage)))
                    {
                        Interlocked.Increment(ref wrong);
                    }

                    // Written though it may be there: the others are reading it.
                    cache.Write(keys[i], packed[i].Storage);
                }

                cache.Complete(CancellationToken.None);
                if (cache.Use.NumWritten != Weights)
                {
                    Interlocked.Increment(ref wrong);
                }
            }
        }))];
        Array.ForEach(threads, t => t.Start());
        Array.ForEach(threads, t => t.Join());
        Assert.Equal(0, wrong);
        Assert.Empty(notices);
        AssertOnlyFinal();
        Assert.Equal(Weights, Directory.GetFiles(Folder).Length);
        Array.ForEach(weights, w => w.Dispose());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Dispose_WhileWriting_LeavesNothing(int chunk)
    {
        using var weight = new RandomWeight(DType.I8, 1003, 768);
        PackedMatrix packed = WeightPacker.Pack(_pool, weight.Matrix, weight.Kind, _arena);
        Assert.Equal(3, new RegionChunks(packed.Storage).Count);
        using var writing = new ManualResetEventSlim();
        PackCache cache = null!;
        cache = new PackCache(Folder, _pool, _notices.Add)
        {
            BeforeWrite = i =>
            {
                if (i == chunk)
                {
                    writing.Set();
                    cache.Stopping.WaitHandle.WaitOne();
                }
            },
        };
        cache.Write(PackKey.Of(_pool, weight.Matrix, packed), packed.Storage);
        cache.Write(new PackKey(1), packed.Storage);
        writing.Wait(TestContext.Current.CancellationToken);
        Assert.EndsWith(PackCache.PartialExtension, Assert.Single(Directory.GetFiles(Folder)), StringComparison.Ordinal);
        cache.Dispose();
        Assert.Empty(Directory.GetFiles(Folder));
        Assert.Equal(0, cache.Use.NumWritten);
        Assert.Empty(_notices);
    }

    [Fact]
    public void Open_WithWhatADeadProcessLeft_DeletesThatAlone()
    {
        Directory.CreateDirectory(Folder);
        string dead = Partial("dead", old: true);
        string young = Partial("young", old: false);
        string locked = Partial("locked", old: true);
        string other = Path.Combine(Folder, "notes.partial");
        File.WriteAllText(other, "x");
        File.SetLastWriteTimeUtc(other, Old());
        using (File.OpenHandle(locked, FileMode.Open, FileAccess.Write, FileShare.None))
        {
            Open().Dispose();
        }

        Assert.False(File.Exists(dead));
        Assert.True(File.Exists(young));
        Assert.True(File.Exists(locked));
        Assert.True(File.Exists(other));
        Assert.Empty(_notices);
    }

    [Fact]
    public void Write_DiskFull_IsSaidOnceAndLeavesNothing()
    {
        using var weight = new RandomWeight(DType.I8, 1003, 768);
        PackedMatrix packed = WeightPacker.Pack(_pool, weight.Matrix, weight.Kind, _arena);
        using var cache = new PackCache(Folder, _pool, _notices.Add) { BeforeWrite = _ => throw new IOException("No space left on device") };
        for (int i = 0; i < 3; i++)
        {
            cache.Write(new PackKey((UInt128)i), packed.Storage);
        }

        cache.Complete(CancellationToken.None);
        string notice = Assert.Single(_notices);
        Assert.Contains(Folder, notice, StringComparison.Ordinal);
        Assert.Contains("No space left on device", notice, StringComparison.Ordinal);
        Assert.Contains("2 more", notice, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(Folder));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Write_FolderThatCannotBeWritten_IsSaidOnce(bool readOnly)
    {
        Assert.SkipWhen(readOnly && (Environment.IsPrivilegedProcess || OperatingSystem.IsWindows()), "root may write everywhere");
        if (readOnly && !OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(Folder, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }
        else
        {
            // Where a folder is to be made stands a file: not even root can.
            File.WriteAllText(Folder, "x");
        }

        using var weight = new RandomWeight(DType.Bf16, 64, 256);
        PackedMatrix packed = WeightPacker.Pack(_pool, weight.Matrix, weight.Kind, _arena);
        using PackCache cache = Open();
        Assert.False(cache.TryRead(new PackKey(1), packed.Storage));
        cache.Write(new PackKey(1), packed.Storage);
        cache.Write(new PackKey(2), packed.Storage);
        cache.Complete(CancellationToken.None);
        Assert.Contains("cannot be written", Assert.Single(_notices), StringComparison.Ordinal);
        Assert.Equal(new PackCacheUse(0, 1, 0), cache.Use);
    }

    public void Dispose()
    {
        _pool.Dispose();
        _arena.Dispose();
        _parent.Delete(recursive: true);
    }

    private static void Damage(string damage, string path, byte[] whole)
    {
        byte[] bytes = [.. whole];
        switch (damage)
        {
            case "empty":
                bytes = [];
                break;
            case "truncated":
                bytes = bytes[..^1];
                break;
            case "longer":
                bytes = [.. bytes, 0];
                break;
            case "magic":
                bytes[0] ^= 1;
                break;
            case "version":
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), 7);
                Seal(bytes);
                break;
            case "header bit":
                bytes[2000] ^= 1;
                break;
            case "length":
                BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), 5);
                Seal(bytes);
                break;
            case "another weight":
                bytes[16] ^= 1;
                Seal(bytes);
                break;
            case "first bit":
                bytes[PackFile.HeaderBytes] ^= 1;
                break;
            case "last bit":
                bytes[^1] ^= 128;
                break;
            case "chunks exchanged":
                whole.AsSpan(PackFile.HeaderBytes, RegionChunks.MaxBytes).CopyTo(bytes.AsSpan(PackFile.HeaderBytes + RegionChunks.MaxBytes));
                whole.AsSpan(PackFile.HeaderBytes + RegionChunks.MaxBytes, RegionChunks.MaxBytes).CopyTo(bytes.AsSpan(PackFile.HeaderBytes));
                break;
            case "folder":
                File.Delete(path);
                Directory.CreateDirectory(path);
                return;
            case "link":
                File.Move(path, path + ".elsewhere");
                File.CreateSymbolicLink(path, path + ".elsewhere");
                return;
            case "dangling link":
                File.Delete(path);
                File.CreateSymbolicLink(path, path + ".elsewhere");
                return;
            case "pipe":
                File.Delete(path);
                using (Process mkfifo = Process.Start("mkfifo", path))
                {
                    mkfifo.WaitForExit();
                }

                return;
            case "unreadable" when !OperatingSystem.IsWindows():
                File.SetUnixFileMode(path, UnixFileMode.None);
                return;
        }

        File.WriteAllBytes(path, bytes);
    }

    /// <summary>The header's checksum made right again.</summary>
    private static void Seal(byte[] bytes)
        => BinaryPrimitives.WriteUInt128LittleEndian(bytes.AsSpan(PackFile.HeaderBytes - 16), XxHash128.HashToUInt128(bytes.AsSpan(0, PackFile.HeaderBytes - 16)));

    private static DateTime Old() => TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(-1);

    private string Partial(string name, bool old)
    {
        string path = Path.Combine(Folder, $"{new PackKey(1)}{PackFile.Extension}.{name}{PackCache.PartialExtension}");
        File.WriteAllText(path, "x");
        if (old)
        {
            File.SetLastWriteTimeUtc(path, Old());
        }

        return path;
    }

    private void AssertOnlyFinal() => Assert.All(Directory.GetFiles(Folder).Where(f => !f.EndsWith(".elsewhere", StringComparison.Ordinal)), f => Assert.Equal(PackFile.Extension, Path.GetExtension(f)));

    private PackCache Open() => new(Folder, _pool, _notices.Add);
}
