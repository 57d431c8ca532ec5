using System.Runtime.InteropServices;
using Hadal.Kernels.Attention;
using Hadal.Kernels.Mla;

namespace Hadal.Cuda.Tests.Attention;

/// <summary>Structs are laid out as the .cu files have them.</summary>
public sealed class AttentionArgsTests
{
    [Fact]
    public void Args_AsInTheSources()
    {
        // The step is 80 bytes.
        Assert.Equal(80, (int)Marshal.OffsetOf<PagedAttentionCuda.Args>("Q"));
        Assert.Equal(120, (int)Marshal.OffsetOf<PagedAttentionCuda.Args>("QStride"));
        Assert.Equal(160, Marshal.SizeOf<PagedAttentionCuda.Args>());
        Assert.Equal(104, (int)Marshal.OffsetOf<PlainAttentionCuda.Args>("QStride"));
        Assert.Equal(136, Marshal.SizeOf<PlainAttentionCuda.Args>());
        Assert.Equal(112, (int)Marshal.OffsetOf<MlaLatentAttentionCuda.Args>("QStride"));
        Assert.Equal(152, Marshal.SizeOf<MlaLatentAttentionCuda.Args>());
        Assert.Equal(24, (int)Marshal.OffsetOf<MlaHeadsCuda.Args>("NumTokens"));
        Assert.Equal(56, Marshal.SizeOf<MlaHeadsCuda.Args>());
    }
}
