using Hadal.Cuda.Tests.Rows;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.MatMul;

/// <summary>Matmuls of float32 activations against sums in double precision of the weights as packed, or as stored where what rounding left of them is multiplied too.</summary>
public sealed class MatMulF32CudaTests(Gpu gpu)
{
    // Of the norm: that of f32 sums on tensor cores, as for x of bf16. An x rounded to bf16 would show as 2e-3.
    private const double Tolerance = 2e-5;

    private static readonly (DType Stored, ScaleLayout Scales, DeviceWeightKind Kind)[] _kinds =
    [
        (DType.Bf16, ScaleLayout.None, DeviceWeightKind.Bf16),
        (DType.F32, ScaleLayout.None, DeviceWeightKind.Bf16),
        (DType.F8E4M3, ScaleLayout.Block, DeviceWeightKind.Bf16),
        (DType.F8E4M3, ScaleLayout.PerRow, DeviceWeightKind.Fp8Row),
        (DType.F8E4M3, ScaleLayout.Block, DeviceWeightKind.Fp8Block),
        (DType.I8, ScaleLayout.PerRow, DeviceWeightKind.Int8Row),
        (DType.Q8_0, ScaleLayout.None, DeviceWeightKind.Int8Group),
        (DType.Q6_K, ScaleLayout.None, DeviceWeightKind.Int8Group),
        (DType.Q4_0, ScaleLayout.None, DeviceWeightKind.Int4Group),
        (DType.Q4_K, ScaleLayout.None, DeviceWeightKind.Int4Group),
        (DType.Bf16, ScaleLayout.None, DeviceWeightKind.Int4Group),
    ];

    public static TheoryData<int, CudaTarget> Cases { get; } = new(
        from kind in Enumerable.Range(0, _kinds.Length)
        from target in new[] { CudaTarget.Sm80, CudaTarget.Sm90a }
        select (kind, target));

    [Theory, MemberData(nameof(Cases))]
    public void Run_AnyRows_IsWithinFloat32OfTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device) = _kinds[kind];
        var random = new Random(kind);
        const int Outputs = 300;
        foreach (int columns in stored.IsBlock ? [768] : new[] { 520, 1411 })
        {
            using var source = new TestWeight(random, stored, Outputs, columns, scales);
            var host = new HostWeight(device, source.Matrix);
            bool split = device == DeviceWeightKind.Bf16 && stored != DType.Bf16;
            double[] weights = split ? [.. source.Decode()] : host.Decode();
            using var rest = split ? new MatMulCudaTests.Uploaded(gpu, stream, new HostWeight(device, rest: true, source.Matrix)) : null;
            using var w = new MatMulCudaTests.Uploaded(gpu, stream, host);
            foreach (int m in new[] { 1, 9, 70 })
            {
                using DeviceRows x = DeviceRows.Random(gpu, stream, random, DType.F32, m, columns);
                using DeviceRows residual = DeviceRows.Random(gpu, stream, random, DType.F32, m, Outputs);
                using DeviceRows y = DeviceRows.Poisoned(gpu, stream, DType.F32, m, Outputs);
                float[] bias = new float[Outputs];
                TestKit.TestMatrix.Fill(random, bias);
                using DeviceBuffer biases = gpu.Upload<float>(stream, bias);
                using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, MatMulF32Cuda.WorkspaceBytes(m, w.Weight));
                string what = $"{stored} as {device}, M {m}, K {columns}";
                double[] expected = Product(x.Values, columns, weights, Outputs);
                MatMulF32Cuda.Run(kernels, stream, x.Matrix, w.Weight, rest?.Weight ?? default, 0, default, y.Matrix, workspace.Pointer);
                AssertNear(expected, y.Download(), what);

                // In place: the residual is the output.
                for (int i = 0; i < expected.Length; i++)
                {
                    expected[i] += residual.Values[i] + bias[i % Outputs];
                }

                MatMulF32Cuda.Run(kernels, stream, x.Matrix, w.Weight, rest?.Weight ?? default, biases.Pointer, residual.Matrix, residual.Matrix, workspace.Pointer);
                AssertNear(expected, residual.Download(), what + ", bias and residual");
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void RunExperts_TokensInOrderOfExpert_AreWithinFloat32OfTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device) = _kinds[kind];
        var random = new Random(kind);
        const int Experts = 5;
        const int TopK = 2;
        const int Inner = 256;
        const int Width = 512;
        TestWeight[] gates = [.. Enumerable.Range(0, 2 * Experts).Select(_ => new TestWeight(random, stored, Inner, Width, scales))];
        TestWeight[] downs = [.. Enumerable.Range(0, Experts).Select(_ => new TestWeight(random, stored, Width, Inner, scales))];
        var gateUpHost = new HostWeight(device, [.. gates.Select(p => p.Matrix)]);
        var downHost = new HostWeight(device, [.. downs.Select(p => p.Matrix)]);
        bool split = device == DeviceWeightKind.Bf16 && stored != DType.Bf16;
        double[] gateUps = split ? [.. gates.SelectMany(p => p.Decode())] : gateUpHost.Decode();
        double[] downWeights = split ? [.. downs.SelectMany(p => p.Decode())] : downHost.Decode();
        using var gateUpRest = split ? new MatMulCudaTests.Uploaded(gpu, stream, new HostWeight(device, rest: true, [.. gates.Select(p => p.Matrix)])) : null;
        using var downRest = split ? new MatMulCudaTests.Uploaded(gpu, stream, new HostWeight(device, rest: true, [.. downs.Select(p => p.Matrix)])) : null;
        using var gateUp = new MatMulCudaTests.Uploaded(gpu, stream, gateUpHost);
        using var down = new MatMulCudaTests.Uploaded(gpu, stream, downHost);
        foreach (int tokens in new[] { 1, 30 })
        {
            int pairs = tokens * TopK;
            // Expert 2 gets nothing.
            int[] expertOf = [.. Enumerable.Range(0, tokens).SelectMany(_ => new[] { 0, 1, 3, 4 }.OrderBy(_ => random.Next()).Take(TopK))];
            int[] sorted = [.. Enumerable.Range(0, pairs).OrderBy(p => expertOf[p]).ThenBy(p => p)];
            int[] offsets = [.. Enumerable.Range(0, Experts + 1).Select(e => expertOf.Count(o => o < e))];
            using DeviceBuffer sortedPairs = gpu.Upload<int>(stream, sorted);
            using DeviceBuffer expertOffsets = gpu.Upload<int>(stream, offsets);
            var order = new ExpertOrder(sortedPairs.Pointer, 0, expertOffsets.Pointer, 0, 0, 0, 0);
            using DeviceRows x = DeviceRows.Random(gpu, stream, random, DType.F32, tokens, Width, 0.05);
            using DeviceRows rows = DeviceRows.Poisoned(gpu, stream, DType.F32, pairs, Width);
            using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, MatMulF32Cuda.ExpertWorkspaceBytes(tokens, TopK, gateUp.Weight, down.Weight, Experts));
            MatMulF32Cuda.RunExperts(kernels, stream, x.Matrix, gateUp.Weight, gateUpRest?.Weight ?? default, down.Weight, downRest?.Weight ?? default, Experts, order, TopK, rows.Matrix, workspace.Pointer);
            double[] expected = new double[pairs * Width];
            for (int p = 0; p < pairs; p++)
            {
                int e = expertOf[sorted[p]];
                double[] both = Product(x.Values.AsSpan(sorted[p] / TopK * Width, Width), Width, gateUps.AsSpan(e * 2 * Inner * Width, 2 * Inner * Width), 2 * Inner);
                float[] hidden = [.. Enumerable.Range(0, Inner).Select(i => (float)(both[i] / (1 + Math.Exp(-both[i])) * both[Inner + i]))];
                Product(hidden, Inner, downWeights.AsSpan(e * Inner * Width, Inner * Width), Width).CopyTo(expected, p * Width);
            }

            AssertNear(expected, rows.Download(), $"{stored} as {device}, {tokens} tokens");
        }

        foreach (TestWeight part in gates.Concat(downs))
        {
            part.Dispose();
        }
    }

    private static double[] Product(ReadOnlySpan<float> x, int columns, ReadOnlySpan<double> weights, int outputs)
    {
        double[] y = new double[x.Length / columns * outputs];
        for (int i = 0; i < y.Length; i++)
        {
            ReadOnlySpan<float> row = x.Slice(i / outputs * columns, columns);
            ReadOnlySpan<double> w = weights.Slice(i % outputs * columns, columns);
            for (int k = 0; k < columns; k++)
            {
                y[i] += row[k] * w[k];
            }
        }

        return y;
    }

    private static void AssertNear(double[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            norm += expected[i] * expected[i];
        }

        // NaN is not below anything.
        Assert.True(Math.Sqrt(error / norm) <= Tolerance, $"{what}: error {Math.Sqrt(error / norm):g3} of the norm, allowed {Tolerance:g3}");
    }
}
