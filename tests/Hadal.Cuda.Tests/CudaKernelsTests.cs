using System.Text;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests;

public sealed class CudaKernelsTests(Gpu gpu)
{
    [Theory]
    [InlineData(8, 0, CudaTarget.Sm80)]
    [InlineData(8, 6, CudaTarget.Sm80)]
    [InlineData(8, 9, CudaTarget.Sm80)]
    [InlineData(9, 0, CudaTarget.Sm90a)]
    [InlineData(10, 0, CudaTarget.Sm80)]
    [InlineData(12, 0, CudaTarget.Sm80)]
    public void Choose_Auto_TakesTheBuildOfTheCard(int major, int minor, CudaTarget expected)
        => Assert.Equal(expected, CudaKernels.Choose("card", major, minor, CudaTarget.Auto));

    [Fact]
    public void Choose_OfAnOldCard_NamesItsCapabilityAndWhatIsNeeded()
    {
        string message = Assert.Throws<HadalException>(() => CudaKernels.Choose("Tesla T4", 7, 5, CudaTarget.Auto)).Message;
        Assert.Contains("Tesla T4", message, StringComparison.Ordinal);
        Assert.Contains("7.5", message, StringComparison.Ordinal);
        Assert.Contains("8.0", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Choose_OfHopperKernelsElsewhere_IsRefused()
    {
        Assert.Throws<HadalException>(() => CudaKernels.Choose("B200", 10, 0, CudaTarget.Sm90a));
        Assert.Equal(CudaTarget.Sm80, CudaKernels.Choose("H100", 9, 0, CudaTarget.Sm80));
    }

    [Fact]
    public void Assembly_HasBothBuildsOfEveryKernelInTheSources()
    {
        string? root = Root();
        Assert.SkipWhen(root is null, "not within the repository");
        string folder = Path.Combine(root!, "src", "Hadal.Kernels");
        string[] modules = [.. Directory.GetFiles(folder, "*.cu", SearchOption.AllDirectories).Select(f => Path.GetFileNameWithoutExtension(f)!)];
        Assert.Equal(modules.Length, modules.Distinct(StringComparer.Ordinal).Count()); // Two of a name would hide one another.
        string[] expected = [.. modules.SelectMany(m => (string[])[$"ptx/{m}.sm_80.ptx.gz", $"ptx/{m}.sm_90a.ptx.gz"]).Order(StringComparer.Ordinal)];
        string[] found = [.. typeof(CudaKernels).Assembly.GetManifestResourceNames().Where(n => n.StartsWith("ptx/", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];
        Assert.Equal(expected, found);
        Assert.All(Directory.GetFiles(Path.Combine(root!, "src"), "*.cu", SearchOption.AllDirectories), f => Assert.StartsWith(folder, f, StringComparison.Ordinal));
    }

    [Fact]
    public void Assembly_PtxIsForTheTargetItsNameSays()
    {
        foreach (string name in typeof(CudaKernels).Assembly.GetManifestResourceNames().Where(n => n.StartsWith("ptx/", StringComparison.Ordinal)))
        {
            string[] parts = name["ptx/".Length..].Split('.');
            string target = parts[1];
            string head = Encoding.ASCII.GetString(CudaKernels.ReadPtx(typeof(CudaKernels).Assembly, parts[0], target == "sm_80" ? CudaTarget.Sm80 : CudaTarget.Sm90a));
            Assert.Contains($".target {target}\n", head, StringComparison.Ordinal);
            Assert.Contains(target == "sm_80" ? ".version 8.0\n" : ".version 8.3\n", head, StringComparison.Ordinal);
        }
    }

    /// <summary>The driver takes what clang made, on this card.</summary>
    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void EveryModule_Loads(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        string suffix = $".{CudaKernels.Suffix(target)}.ptx.gz";
        string[] modules = [.. typeof(CudaKernels).Assembly.GetManifestResourceNames().Where(n => n.EndsWith(suffix, StringComparison.Ordinal)).Select(n => n["ptx/".Length..^suffix.Length])];
        kernels.Preload(modules);
        foreach (string module in modules)
        {
            Assert.False(kernels.Has(module, "no_such_kernel"));
        }
    }

    [Fact]
    public void Get_OfAModuleThatIsNotThere_SaysWhichFile()
    {
        CudaKernels kernels = gpu.Kernels(CudaTarget.Sm80);
        var e = Assert.Throws<InvalidOperationException>(() => kernels.Get("no_such_module", "k"));
        Assert.Contains("ptx/no_such_module.sm_80.ptx.gz", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void RowRange_OfADeviceMatrix_MovesByRows()
    {
        var m = new DeviceMatrix(1000, DType.Bf16, 10, 24, 32);
        Assert.Equal(new DeviceMatrix(1000 + (3 * 64), DType.Bf16, 2, 24, 32), m.RowRange(3, 2));
        Assert.Equal(new DeviceMatrix(1016, DType.Bf16, 10, 8, 32), m.ColumnRange(8, 8));
        Assert.Throws<ArgumentOutOfRangeException>(() => m.RowRange(9, 2));
    }

    private static string? Root()
    {
        for (DirectoryInfo? d = new(AppContext.BaseDirectory); d is not null; d = d.Parent)
        {
            if (File.Exists(Path.Combine(d.FullName, "Hadal.slnx")))
            {
                return d.FullName;
            }
        }

        return null;
    }
}
