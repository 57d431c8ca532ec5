using System.Text;
using System.Text.RegularExpressions;
using Hadal.Kernels.Cuda;

namespace Hadal.Cuda.Tests.MatMul;

/// <summary>What a compiler may round once or twice must not be in kernels whose results have to agree bit for bit: each is compiled by itself and may come out otherwise.</summary>
public sealed partial class SkinnyPtxTests
{
    [Theory]
    [InlineData("SkinnyBf16")]
    [InlineData("SkinnyFp8")]
    [InlineData("SkinnyInt8")]
    [InlineData("SkinnyInt4")]
    public void Streams_NoProductGoesToASum_WithoutItsOwnRounding(string module)
    {
        foreach (CudaTarget target in new[] { CudaTarget.Sm80, CudaTarget.Sm90a })
        {
            string ptx = Encoding.ASCII.GetString(CudaKernels.ReadPtx(typeof(CudaKernels).Assembly, module, target));
            int kernels = 0;
            foreach (string kernel in ptx.Split(".entry ")[1..].Where(k => k.StartsWith("stream_", StringComparison.Ordinal) || k.StartsWith("grouped_", StringComparison.Ordinal)))
            {
                kernels++;
                var products = Products().Matches(kernel).Select(m => m.Groups[1].Value).ToHashSet(StringComparer.Ordinal);
                Assert.All(Sums().Matches(kernel), m => Assert.False(
                    products.Contains(m.Groups[1].Value) || products.Contains(m.Groups[2].Value), $"{module}, {target}, {kernel[..kernel.IndexOf('(', StringComparison.Ordinal)]}: {m.Value}"));
            }

            Assert.InRange(kernels, 5, 1000);
        }
    }

    // mul.rn is never joined to a sum; mul alone may be.
    [GeneratedRegex(@"\bmul(?:\.ftz)?\.f32\s+(%f\d+),")]
    private static partial Regex Products();

    [GeneratedRegex(@"\b(?:add|sub)(?:\.ftz)?\.f32\s+%f\d+, (\S+), ([^;\s]+);")]
    private static partial Regex Sums();
}
