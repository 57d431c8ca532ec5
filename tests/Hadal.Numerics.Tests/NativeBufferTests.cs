namespace Hadal.Numerics.Tests;

public sealed unsafe class NativeBufferTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65)]
    [InlineData(5_000_000)]
    public void New_AnySize_IsAlignedAndZero(int bytes)
    {
        using var plain = new NativeBuffer((nuint)bytes);
        using NativeBuffer huge = NativeBuffer.HugePages((nuint)bytes);
        foreach (NativeBuffer buffer in new[] { plain, huge })
        {
            Assert.Equal(0u, (nuint)buffer.Pointer % 64);
            Assert.Equal((nuint)bytes, buffer.ByteLength);
            Assert.Equal(-1, buffer.Span<byte>().IndexOfAnyExcept((byte)0));
        }
    }

    [Fact]
    public void Slice_PastTheEnd_Throws()
    {
        using var buffer = new NativeBuffer(100);
        Assert.Equal(10, buffer.Slice(90, 10).Length);
        Assert.Throws<ArgumentOutOfRangeException>(() => buffer.Slice(91, 10).Length);
    }
}
