using System.Runtime.CompilerServices;

namespace Hadal.Cuda.Tests;

/// <summary>Structs that the driver reads have cuda.h's sizes and offsets.</summary>
public sealed unsafe class LayoutTests
{
    [Fact]
    public void LaunchConfig_AsInCudaH()
    {
        Assert.Equal(56, sizeof(LaunchConfig));
        var c = default(LaunchConfig);
        Assert.Equal(0, Offset(&c, &c.GridX));
        Assert.Equal(12, Offset(&c, &c.BlockX));
        Assert.Equal(24, Offset(&c, &c.SharedBytes));
        Assert.Equal(32, Offset(&c, &c.Stream));
        Assert.Equal(40, Offset(&c, &c.Attributes));
        Assert.Equal(48, Offset(&c, &c.NumAttributes));
    }

    [Fact]
    public void LaunchAttribute_AsInCudaH()
    {
        Assert.Equal(72, sizeof(LaunchAttribute));
        var a = default(LaunchAttribute);
        Assert.Equal(0, Offset(&a, &a.Id));
        Assert.Equal(8, Offset(&a, &a.X));
        Assert.Equal(12, Offset(&a, &a.Y));
        Assert.Equal(16, Offset(&a, &a.Z));
    }

    [Fact]
    public void TensorMap_Is128Bytes() => Assert.Equal(128, sizeof(TensorMap));

    [Fact]
    public void NvmlStructs_AsInNvmlH()
    {
        Assert.Equal(8, Unsafe.SizeOf<NvmlUtilization>());
        Assert.Equal(24, Unsafe.SizeOf<NvmlMemory>());
    }

    private static int Offset(void* of, void* field) => (int)((byte*)field - (byte*)of);
}
