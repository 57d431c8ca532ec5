namespace Hadal.Numerics.Tests;

public sealed class Bf16Tests
{
    [Fact]
    public void FromSingle_EveryBf16_IsItself()
    {
        for (int bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float value = Bf16.ToSingle((ushort)bits);
            ushort back = Bf16.FromSingle(value);
            Assert.True(float.IsNaN(value) ? float.IsNaN(Bf16.ToSingle(back)) : back == bits, $"0x{bits:x4} became 0x{back:x4}");
        }
    }

    [Theory]
    [InlineData(0x3F808000u, 0x3F80)] // halfway between two: the even one
    [InlineData(0x3F818000u, 0x3F82)]
    [InlineData(0x3F808001u, 0x3F81)]
    [InlineData(0x7F7FFFFFu, 0x7F80)] // the largest float rounds to infinity
    public void FromSingle_Halfway_GoesToEven(uint bits, int expected)
        => Assert.Equal(expected, Bf16.FromSingle(BitConverter.UInt32BitsToSingle(bits)));
}
