using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.MatMul;

/// <summary>Norm and matmul in one launch.</summary>
public sealed class MatMulNormCudaTests(Gpu gpu)
{
    private const float Eps = 1e-6f;

    [Theory, MemberData(nameof(MatMulCudaTests.Cases), MemberType = typeof(MatMulCudaTests))]
    public void RunNorm_OfChosenRows_IsNearTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = MatMulCudaTests.Kinds[kind];
        var random = new Random(kind);
        foreach (int columns in MatMulCudaTests.Widths(stored).Where(w => w % 8 == 0).Append(3584))
        {
            const int Rows = 300;
            const int Stored = 5;
            using var source = new TestWeight(random, stored, Rows, columns, scales);
            var host = new HostWeight(device, source.Matrix);
            double[] weights = host.Decode();
            using var w = new MatMulCudaTests.Uploaded(gpu, stream, host);
            float[] norm = MatMulCudaTests.Values(random, columns);
            using DeviceBuffer norms = gpu.Upload<float>(stream, norm);
            float[] bias = MatMulCudaTests.Values(random, Rows);
            using DeviceBuffer biases = gpu.Upload<float>(stream, bias);
            // Rows of every size, among them such as f16 has no room for, and values of one row far apart.
            float[] x = [.. MatMulCudaTests.Values(random, Stored * columns).Select((v, i) => v * MathF.Pow(10, (4 * (i / columns)) - 8) * (i % 97 == 0 ? 300 : 1))];
            using DeviceBuffer input = gpu.Upload<float>(stream, x);
            foreach (int[] chosen in new int[][] { [0], [4], [3, 1] })
            {
                Assert.True(MatMulCuda.TakesNorm(kernels, w.Weight, chosen.Length), $"{columns} columns of {device}");
                using DeviceBuffer index = gpu.Upload<int>(stream, chosen);
                double[] expected = [.. chosen.SelectMany(r => MatMulCudaTests.Product(Normed(x.AsSpan(r * columns, columns), norm), weights, Rows).Select((v, n) => v + bias[n]))];
                int stride = Rows + 12;
                using DeviceBuffer y = gpu.Poisoned<float>(stream, chosen.Length * stride);
                var ahead = WeightsAhead.Of(w.Weight, gateUp: false, 1 << 20);
                MatMulCuda.RunNorm(
                    kernels, stream, new DeviceMatrix(input.Pointer, DType.F32, Stored, columns, columns), new RowNorm(norms.Pointer, Eps, index.Pointer), w.Weight, biases.Pointer,
                    new DeviceMatrix(y.Pointer, DType.F32, chosen.Length, Rows, stride), ahead);
                float[] all = gpu.Download<float>(stream, y, chosen.Length * stride);
                MatMulCudaTests.AssertNear(expected, [.. Enumerable.Range(0, chosen.Length).SelectMany(r => all[(r * stride)..((r * stride) + Rows)])], Allowed(device, target), $"{stored} as {device}, K {columns}, rows {string.Join(',', chosen)}");
                Assert.All(Enumerable.Range(0, chosen.Length), r => Assert.All(all[((r * stride) + Rows)..((r + 1) * stride)], v => Assert.True(float.IsNaN(v))));
            }
        }
    }

    [Theory, MemberData(nameof(MatMulCudaTests.Cases), MemberType = typeof(MatMulCudaTests))]
    public void RunNormGateUp_OneRowOrTwo_IsNearTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = MatMulCudaTests.Kinds[kind];
        var random = new Random(kind);
        int columns = MatMulCudaTests.Widths(stored)[0];
        using var gate = new TestWeight(random, stored, scales == ScaleLayout.Block ? 256 : 192, columns, scales);
        using var up = new TestWeight(random, stored, gate.Matrix.Rows, columns, scales);
        int inner = gate.Matrix.Rows;
        var host = new HostWeight(device, gate.Matrix, up.Matrix);
        double[] weights = host.Decode();
        using var w = new MatMulCudaTests.Uploaded(gpu, stream, host);
        float[] norm = MatMulCudaTests.Values(random, columns);
        using DeviceBuffer norms = gpu.Upload<float>(stream, norm);
        foreach (int m in new[] { 1, 2 })
        {
            float[] x = MatMulCudaTests.Values(random, m * columns);
            using DeviceBuffer input = gpu.Upload<float>(stream, x);
            double[] expected = [.. Enumerable.Range(0, m).SelectMany(r => MatMulCudaTests.Silu(MatMulCudaTests.Product(Normed(x.AsSpan(r * columns, columns), norm), weights, 2 * inner), inner))];
            using DeviceBuffer y = gpu.Poisoned<ushort>(stream, m * inner);
            MatMulCuda.RunNormGateUp(
                kernels, stream, new DeviceMatrix(input.Pointer, DType.F32, m, columns, columns), new RowNorm(norms.Pointer, Eps), w.Weight,
                new DeviceMatrix(y.Pointer, DType.Bf16, m, inner, inner), WeightsAhead.Of(w.Weight, gateUp: true, 100_000));
            MatMulCudaTests.AssertNear(expected, [.. gpu.Download<ushort>(stream, y, m * inner).Select(Bf16.ToSingle)], 2 * Math.Max(3e-3, Allowed(device, target)), $"{stored} as {device}, M {m}");
        }
    }

    [Theory, MemberData(nameof(MatMulCudaTests.Cases), MemberType = typeof(MatMulCudaTests))]
    public void RunNormExpertsGateUp_OneToken_IsNearTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = MatMulCudaTests.Kinds[kind];
        var random = new Random(kind);
        int columns = MatMulCudaTests.Widths(stored)[0];
        const int Experts = 7;
        const int TopK = 3;
        int inner = scales == ScaleLayout.Block ? 128 : 80;
        TestWeight[] parts = [.. Enumerable.Range(0, 2 * Experts).Select(_ => new TestWeight(random, stored, inner, columns, scales))];
        var host = new HostWeight(device, [.. parts.Select(p => p.Matrix)]);
        double[] weights = host.Decode();
        using var w = new MatMulCudaTests.Uploaded(gpu, stream, host);
        float[] norm = MatMulCudaTests.Values(random, columns);
        using DeviceBuffer norms = gpu.Upload<float>(stream, norm);
        float[] x = MatMulCudaTests.Values(random, columns);
        using DeviceBuffer input = gpu.Upload<float>(stream, x);
        foreach (int[] chosen in new int[][] { [0, 3, 6], [1, 2, 5] })
        {
            using DeviceBuffer sorted = gpu.Upload<int>(stream, [2, 0, 1]);
            using DeviceBuffer offsets = gpu.Upload<int>(stream, [.. Enumerable.Range(0, Experts + 1).Select(e => chosen.Count(c => c < e))]);
            var order = new ExpertOrder(sorted.Pointer, 0, offsets.Pointer, 0, 0, 0, 0);
            float[] normed = Normed(x, norm);
            double[] expected = [.. chosen.SelectMany(e => MatMulCudaTests.Silu(MatMulCudaTests.Product(normed, weights.AsSpan(e * 2 * inner * columns, 2 * inner * columns), 2 * inner), inner))];
            using DeviceBuffer y = gpu.Poisoned<ushort>(stream, TopK * inner);
            MatMulCuda.RunNormExpertsGateUp(
                kernels, stream, new DeviceMatrix(input.Pointer, DType.F32, 1, columns, columns), new RowNorm(norms.Pointer, Eps), w.Weight, Experts, order, TopK,
                new DeviceMatrix(y.Pointer, DType.Bf16, TopK, inner, inner));
            MatMulCudaTests.AssertNear(expected, [.. gpu.Download<ushort>(stream, y, TopK * inner).Select(Bf16.ToSingle)], 2 * Math.Max(3e-3, Allowed(device, target)), $"{stored} as {device}, experts {string.Join(',', chosen)}");
        }

        foreach (TestWeight part in parts)
        {
            part.Dispose();
        }
    }

    /// <summary>Beside other rows a row has the bits that it has alone.</summary>
    [Theory, MemberData(nameof(MatMulCudaTests.Cases), MemberType = typeof(MatMulCudaTests))]
    public void RunNorm_RowsTogether_HaveTheBitsOfEachAlone(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = MatMulCudaTests.Kinds[kind];
        var random = new Random(kind);
        int columns = MatMulCudaTests.Widths(stored)[0];
        using var source = new TestWeight(random, stored, 200, columns, scales);
        using var w = new MatMulCudaTests.Uploaded(gpu, stream, new HostWeight(device, source.Matrix));
        using DeviceBuffer norms = gpu.Upload<float>(stream, MatMulCudaTests.Values(random, columns));
        using DeviceBuffer input = gpu.Upload<float>(stream, MatMulCudaTests.Values(random, 2 * columns));
        float[] both = Run(0, 2);
        Assert.Equal(both[..200], Run(0, 1));
        Assert.Equal(both[200..], Run(1, 1));

        float[] Run(int first, int count)
        {
            using DeviceBuffer y = gpu.Poisoned<float>(stream, count * 200);
            MatMulCuda.RunNorm(
                kernels, stream, new DeviceMatrix(input.Pointer, DType.F32, 2, columns, columns).RowRange(first, count), new RowNorm(norms.Pointer, Eps), w.Weight, 0,
                new DeviceMatrix(y.Pointer, DType.F32, count, 200, 200));
            return gpu.Download<float>(stream, y, count * 200);
        }
    }

    private static float[] Normed(ReadOnlySpan<float> x, float[] weight)
    {
        double squares = 0;
        foreach (float v in x)
        {
            squares += (double)v * v;
        }

        double inverse = 1 / Math.Sqrt((squares / x.Length) + Eps);
        float[] y = new float[x.Length];
        for (int i = 0; i < y.Length; i++)
        {
            y[i] = (float)(x[i] * inverse * weight[i]);
        }

        return y;
    }

    // The normed row is rounded once: bf16 1.7e-3 of the norm on the average, f16 2.1e-4.
    private static double Allowed(DeviceWeightKind kind, CudaTarget target)
        => target == CudaTarget.Sm90a && kind is DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block or DeviceWeightKind.Int8Row or DeviceWeightKind.Int8Group ? 4e-4 : 3e-3;
}
