using Hadal.Kernels.Cuda;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Norm;
using Hadal.Kernels.Quantize;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Cuda.Tests.Rows;

/// <summary>8-bit activations against plain loops, and fused against unfused.</summary>
public sealed class QuantizeCudaTests(Gpu gpu)
{
    [Theory]
    [InlineData(CudaTarget.Sm80, ActivationFormat.E4M3Row)]
    [InlineData(CudaTarget.Sm80, ActivationFormat.E4M3Group)]
    [InlineData(CudaTarget.Sm80, ActivationFormat.Int8Row)]
    [InlineData(CudaTarget.Sm90a, ActivationFormat.E4M3Row)]
    [InlineData(CudaTarget.Sm90a, ActivationFormat.E4M3Group)]
    [InlineData(CudaTarget.Sm90a, ActivationFormat.Int8Row)]
    public void Quantize_AloneAndFused(CudaTarget target, ActivationFormat format)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(30);
        foreach ((int rows, int width) in ((int, int)[])[(3, 8), (3, 136), (3, 3584), (3, 7168), (3, 18944), (260, 136), (260, 3584), (256, 18944)])
        {
            // From 256 rows on a thread has four pieces of a row.
            using var x = DeviceRows.Random(gpu, s, random, DType.Bf16, rows, width);
            Check(s, format, x.Values, rows, width, q => QuantizeCuda.Run(kernels, s, x.Matrix, q));

            using var up = DeviceRows.Random(gpu, s, random, DType.Bf16, rows, width);
            using var product = DeviceRows.Poisoned(gpu, s, DType.Bf16, rows, width);
            ElementwiseCuda.SiluMul(kernels, s, x.Matrix, up.Matrix, product.Matrix);
            Check(s, format, product.Download(), rows, width, q => QuantizeCuda.RunSiluMul(kernels, s, x.Matrix, up.Matrix, default, q));
            if (width is > QuantizeCuda.MaxNormWidth or <= 256)
            {
                continue;
            }

            float[] w = new float[width];
            TestMatrix.Fill(random, w);
            using DeviceBuffer weight = gpu.Upload<float>(s, w);
            using var residual = DeviceRows.Random(gpu, s, random, DType.F32, rows, width);
            using var sum = DeviceRows.Poisoned(gpu, s, DType.F32, rows, width);
            using var sum2 = DeviceRows.Poisoned(gpu, s, DType.F32, rows, width);
            using var normed = DeviceRows.Poisoned(gpu, s, DType.Bf16, rows, width);
            using var normed2 = DeviceRows.Poisoned(gpu, s, DType.Bf16, rows, width);
            RmsNormCuda.RunAdd(kernels, s, x.Matrix, residual.Matrix, weight.Pointer, 1e-6f, sum.Matrix, normed.Matrix);
            Check(s, format, normed.Download(), rows, width, q => QuantizeCuda.RunAddRmsNorm(kernels, s, x.Matrix, residual.Matrix, weight.Pointer, 1e-6f, sum2.Matrix, normed2.Matrix, q));
            TensorAssert.BitEqual(sum2.Download(), sum.Download(), "sum");
            TensorAssert.BitEqual(normed2.Download(), normed.Download(), "norm");
            RmsNormCuda.Run(kernels, s, sum.Matrix, weight.Pointer, width, 1e-6f, normed.Matrix);
            Check(s, format, normed.Download(), rows, width, q => QuantizeCuda.RunRmsNorm(kernels, s, sum.Matrix, weight.Pointer, 1e-6f, default, q));
        }
    }

    private void Check(CudaStream s, ActivationFormat format, float[] values, int rows, int width, Action<QuantizedActivations> run)
    {
        bool grouped = format == ActivationFormat.E4M3Group;
        int groups = grouped ? (width + 127) / 128 : 1;
        float most = format == ActivationFormat.Int8Row ? 127 : 448;
        using var q = DeviceRows.Poisoned(gpu, s, format == ActivationFormat.Int8Row ? DType.I8 : DType.F8E4M3, rows, width);
        using DeviceBuffer scales = gpu.Poisoned<float>(s, rows * groups);

        // Groups lie one column of rows after the other.
        run(new QuantizedActivations(format, q.Matrix, scales.Pointer, 1, rows));
        float[] found = q.Download();
        float[] scale = gpu.Download<float>(s, scales, rows * groups);
        int group = grouped ? 128 : width;
        int apart = 0;
        for (int t = 0; t < rows; t++)
        {
            for (int g = 0; g < groups; g++)
            {
                ReadOnlySpan<float> part = values.AsSpan((t * width) + (g * group), Math.Min(group, width - (g * group)));
                float amax = 0;
                foreach (float v in part)
                {
                    amax = Math.Max(amax, Math.Abs(v));
                }

                Assert.Equal(amax / most, scale[(g * rows) + t], amax * 1e-6f);
                for (int i = 0; i < part.Length; i++)
                {
                    float scaled = part[i] * (most / amax);
                    float expected = format == ActivationFormat.Int8Row ? MathF.Round(scaled, MidpointRounding.ToEven) : Fp8.E4M3ToSingle(Fp8.E4M3FromSingle(scaled));
                    float actual = found[(t * width) + (g * group) + i];
                    if (actual != expected)
                    {
                        // A product on the fence may round the other way: one step.
                        apart++;
                        float step = format == ActivationFormat.Int8Row ? 1 : Math.Max(Math.Abs(expected) / 8, 1f / 512);
                        Assert.Equal(expected, actual, step * 1.01f);
                    }
                }
            }
        }

        Assert.True(apart <= 1 + (values.Length / 2000), $"{apart} of {values.Length} differ");
    }
}
