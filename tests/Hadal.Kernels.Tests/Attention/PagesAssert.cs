using Hadal.Numerics;

namespace Hadal.Kernels.Tests.Attention;

internal static unsafe class PagesAssert
{
    /// <summary>NaN in the same elements, all others within a few roundings of f32, or of one bf16.</summary>
    public static void Close(TestPages expected, TestPages actual, string context)
    {
        bool bf16 = expected.Pages.DType == DType.Bf16;
        int count = expected.ByteLength / (bf16 ? 2 : 4);
        for (int i = 0; i < count; i++)
        {
            float e = bf16 ? Bf16.ToSingle(((ushort*)expected.Pages.Data)[i]) : ((float*)expected.Pages.Data)[i];
            float a = bf16 ? Bf16.ToSingle(((ushort*)actual.Pages.Data)[i]) : ((float*)actual.Pages.Data)[i];
            double tolerance = bf16 ? Math.Abs(e) / 128 : 1e-6 * (1 + Math.Abs(e));
            Assert.True(float.IsNaN(e) ? float.IsNaN(a) : Math.Abs(e - a) <= tolerance, $"element {i}: expected {e:R}, got {a:R} ({context})");
        }
    }
}
