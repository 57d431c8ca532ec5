using System.Text;

namespace Hadal.Cuda.Tests;

public sealed class KernelCacheTests : IDisposable
{
    private const string Tag = "NVIDIA Test|9.0|12.8|570.1";

    private static readonly byte[] _ptx = Encoding.UTF8.GetBytes(".version 8.0\n.target sm_80\n");

    private readonly string _folder = Path.Combine(Directory.CreateTempSubdirectory("hadal-cache-").FullName, "kernels");
    private readonly List<string> _warnings = [];
    private int _assembled;

    [Fact]
    public void Get_Twice_AssemblesOnce()
    {
        Assert.Equal("cubin 1", Get());
        Assert.Equal("cubin 1", Get());
        Assert.Equal(1, _assembled);
        Assert.Single(Directory.GetFiles(_folder));
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Get_OfOtherPtxDriverOrCard_AssemblesAnew()
    {
        Get();
        Get(tag: Tag.Replace("570", "580", StringComparison.Ordinal));
        Get(tag: Tag.Replace("9.0", "8.0", StringComparison.Ordinal));
        Get(ptx: [.. _ptx, 10]);
        Assert.Equal(4, _assembled);
        Assert.Equal(4, Directory.GetFiles(_folder).Length);
    }

    [Theory]
    [InlineData("empty")]
    [InlineData("short")]
    [InlineData("header only")]
    [InlineData("cut")]
    [InlineData("longer")]
    [InlineData("flipped magic")]
    [InlineData("flipped key")]
    [InlineData("flipped checksum")]
    [InlineData("flipped length")]
    [InlineData("flipped content")]
    [InlineData("text")]
    public void Get_OfADamagedFile_ReplacesIt(string damage)
    {
        Get();
        string file = Directory.GetFiles(_folder).Single();
        byte[] good = File.ReadAllBytes(file);
        byte[] bad = [.. good];
        int flip = damage switch { "flipped magic" => 3, "flipped key" => 9, "flipped checksum" => 30, "flipped length" => 40, "flipped content" => good.Length - 1, _ => -1 };
        if (flip >= 0)
        {
            bad[flip] ^= 0x10;
        }
        else
        {
            bad = damage switch
            {
                "empty" => [],
                "short" => good[..5],
                "header only" => good[..48],
                "cut" => good[..^1],
                "longer" => [.. good, 0],
                _ => Encoding.UTF8.GetBytes(new string('x', 500)),
            };
        }

        File.WriteAllBytes(file, bad);
        Assert.Equal("cubin 2", Get());
        Assert.Equal("cubin 2", Get());
        Assert.Equal(2, _assembled);
        Assert.Single(Directory.GetFiles(_folder));
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Get_OfAnotherKernelsFileUnderItsName_ReplacesIt()
    {
        Get();
        string first = Directory.GetFiles(_folder).Single();
        Get(tag: "other");
        string second = Directory.GetFiles(_folder).Single(f => f != first);
        File.Copy(first, second, overwrite: true);
        Assert.Equal("cubin 3", Get(tag: "other"));
        Assert.Equal("cubin 1", Get());
    }

    [Fact]
    public void Get_WhereNothingCanBeWritten_WarnsOnceAndWorks()
    {
        // A file where the folder should be: refused to root as well.
        File.WriteAllText(_folder, "in the way");
        KernelCache cache = Cache();
        Assert.Equal("cubin 1", Get(cache));
        Assert.Equal("cubin 2", Get(cache));
        string warning = Assert.Single(_warnings);
        Assert.Contains(_folder, warning, StringComparison.Ordinal);
        Assert.Contains("HADAL_KERNEL_CACHE", warning, StringComparison.Ordinal);
    }

    [Fact]
    public void Get_WithoutAFolder_AssemblesEachTime()
    {
        var cache = new KernelCache(null, _warnings.Add);
        Assert.Equal("cubin 1", Get(cache));
        Assert.Equal("cubin 2", Get(cache));
        Assert.Empty(_warnings);
    }

    [Fact]
    public void Get_WhenTheAssemblerFails_LeavesNothing()
    {
        Assert.Throws<CudaException>(() => Cache().Get("m", _ptx, Tag, static _ => throw new CudaException("no")));
        Assert.False(Directory.Exists(_folder) && Directory.GetFiles(_folder).Length > 0);
    }

    [Fact]
    public async Task Get_FromManyAtOnce_EndsInOneGoodFile()
    {
        await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => Cache().Get("m", _ptx, Tag, static _ => new byte[100_000]))));
        Assert.Single(Directory.GetFiles(_folder));
        Assert.Equal(100_000, Cache().Get("m", _ptx, Tag, static _ => throw new InvalidOperationException("it was there")).Length);
    }

    [Theory]
    [InlineData("/k", "/x", "/h", "/k")]
    [InlineData(null, "/x", "/h", "/x/hadal/kernels")]
    [InlineData("", "relative", "/h", "/h/.cache/hadal/kernels")]
    [InlineData(null, null, "/h", "/h/.cache/hadal/kernels")]
    [InlineData(null, null, null, null)]
    public void FindFolder_AsTheEnvironmentSays(string? own, string? xdg, string? home, string? expected)
        => Assert.Equal(expected, KernelCache.FindFolder(name => name switch { "HADAL_KERNEL_CACHE" => own, "XDG_CACHE_HOME" => xdg, "HOME" => home, _ => null }));

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_folder)!, recursive: true);

    private KernelCache Cache() => new(_folder, _warnings.Add);

    private string Get(KernelCache? cache = null, byte[]? ptx = null, string tag = Tag)
        => Encoding.UTF8.GetString((cache ?? Cache()).Get("m", ptx ?? _ptx, tag, _ => Encoding.UTF8.GetBytes("cubin " + ++_assembled)));
}
