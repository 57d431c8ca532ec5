using FsCheck;
using FsCheck.Xunit;

namespace Hadal.Numerics.Tests;

public sealed class Fp8Tests
{
    [Fact]
    public void E4M3_EveryCode_IsItself()
    {
        for (int code = 0; code < 256; code++)
        {
            float value = Fp8.E4M3ToSingle((byte)code);
            byte back = Fp8.E4M3FromSingle(value);
            Assert.True(float.IsNaN(value) ? (back & 0x7F) == 0x7F : back == code, $"0x{code:x2} = {value} became 0x{back:x2}");
        }
    }

    [Theory]
    [InlineData(0x7E, 448f)]
    [InlineData(0x08, 0.015625f)]
    [InlineData(0x01, 0.001953125f)]
    [InlineData(0x38, 1f)]
    [InlineData(0xB8, -1f)]
    public void E4M3ToSingle_KnownCodes_HaveTheirValues(int code, float expected) => Assert.Equal(expected, Fp8.E4M3ToSingle((byte)code));

    [Property(MaxTest = 2000)]
    public bool E4M3FromSingle_AnyFiniteValue_IsTheNearestCode(NormalFloat value)
    {
        float v = (float)(value.Get % 1000);
        float got = Fp8.E4M3ToSingle(Fp8.E4M3FromSingle(v));
        float clamped = Math.Clamp(v, -448, 448);
        for (int code = 0; code < 256; code++)
        {
            float other = Fp8.E4M3ToSingle((byte)code);
            if (!float.IsNaN(other) && Math.Abs((double)other - clamped) < Math.Abs((double)got - clamped))
            {
                return false;
            }
        }

        return true;
    }

    [Fact]
    public void E5M2ToSingle_IsTheUpperByteOfAHalf()
    {
        Assert.Equal(1f, Fp8.E5M2ToSingle(0x3C));
        Assert.Equal(57344f, Fp8.E5M2ToSingle(0x7B));
        Assert.True(float.IsPositiveInfinity(Fp8.E5M2ToSingle(0x7C)));
        Assert.True(float.IsNaN(Fp8.E5M2ToSingle(0x7F)));
    }
}
