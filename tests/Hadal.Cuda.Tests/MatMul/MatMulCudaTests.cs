using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.MatMul;

public sealed unsafe class MatMulCudaTests(Gpu gpu)
{
    // Poisoned columns to the right of every result.
    private const int Gap = 8;

    internal static (DType Stored, ScaleLayout Scales, DeviceWeightKind Kind, double Rounding)[] Kinds { get; } =
    [
        (DType.Bf16, ScaleLayout.None, DeviceWeightKind.Bf16, 0),
        (DType.F32, ScaleLayout.None, DeviceWeightKind.Bf16, 0.004),
        (DType.F8E4M3, ScaleLayout.PerRow, DeviceWeightKind.Fp8Row, 0),
        (DType.Bf16, ScaleLayout.None, DeviceWeightKind.Fp8Row, 0.05),
        (DType.F8E4M3, ScaleLayout.Block, DeviceWeightKind.Fp8Block, 0),
        (DType.I8, ScaleLayout.PerRow, DeviceWeightKind.Int8Row, 0),
        (DType.Bf16, ScaleLayout.None, DeviceWeightKind.Int8Row, 0.01),
        (DType.Q8_0, ScaleLayout.None, DeviceWeightKind.Int8Group, 0),
        (DType.Q5_0, ScaleLayout.None, DeviceWeightKind.Int8Group, 0),
        (DType.Q5_1, ScaleLayout.None, DeviceWeightKind.Int8Group, 0),
        (DType.Q5_K, ScaleLayout.None, DeviceWeightKind.Int8Group, 0.001),
        (DType.Q6_K, ScaleLayout.None, DeviceWeightKind.Int8Group, 0.001),
        (DType.Q4_0, ScaleLayout.None, DeviceWeightKind.Int4Group, 0),
        (DType.Q4_1, ScaleLayout.None, DeviceWeightKind.Int4Group, 0),
        (DType.Q4_K, ScaleLayout.None, DeviceWeightKind.Int4Group, 0.001),
        (DType.Bf16, ScaleLayout.None, DeviceWeightKind.Int4Group, 0.09),
    ];

    public static TheoryData<int, CudaTarget> Cases
    {
        get
        {
            var data = new TheoryData<int, CudaTarget>();
            for (int i = 0; i < Kinds.Length; i++)
            {
                data.Add(i, CudaTarget.Sm80);
                data.Add(i, CudaTarget.Sm90a);
            }

            return data;
        }
    }

    [Fact]
    public void Pack_EveryKind_HoldsWhatWasStored()
    {
        foreach ((DType stored, ScaleLayout scales, DeviceWeightKind kind, double rounding) in Kinds)
        {
            foreach (int columns in Widths(stored))
            {
                using var first = new TestWeight(new Random(columns), stored, 256, columns, scales);
                using var second = new TestWeight(new Random(7), stored, 5, columns, scales);
                double[] actual = new HostWeight(kind, first.Matrix, second.Matrix).Decode();
                AssertClose([.. first.Decode(), .. second.Decode()], actual, Math.Max(rounding, 1e-7), $"{stored} as {kind}, {columns} columns");
            }
        }
    }

    [Fact]
    public void Pack_GroupsOfSeveralKinds_HoldsEach()
    {
        foreach ((DeviceWeightKind kind, DType[] types) in new[]
        {
            (DeviceWeightKind.Int8Group, new[] { DType.Q8_0, DType.Q6_K, DType.Q5_K }),
            (DeviceWeightKind.Int4Group, new[] { DType.Q4_0, DType.Q4_K }),
        })
        {
            TestWeight[] parts = [.. types.Select((t, i) => new TestWeight(new Random(i), t, 6, 768))];
            double[] actual = new HostWeight(kind, [.. parts.Select(p => p.Matrix)]).Decode();
            AssertClose([.. parts.SelectMany(p => p.Decode())], actual, 0.001, $"{kind}");
            foreach (TestWeight part in parts)
            {
                part.Dispose();
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Run_AnyRows_IsNearTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = Kinds[kind];
        var random = new Random(kind);
        foreach (int columns in Widths(stored))
        {
            const int Rows = 300;
            using var source = new TestWeight(random, stored, Rows, columns, scales);
            var host = new HostWeight(device, source.Matrix);
            double[] weights = host.Decode();
            using var w = new Uploaded(gpu, stream, host);
            foreach (int m in new[] { 1, 2, 8, 9, 16, 17, 33, 64, 70, 200 })
            {
                bool single = m % 2 == 0;
                bool extras = m is 2 or 9 or 33 or 70;
                var x = new Activations(gpu, stream, random, m, columns);
                float[] bias = Values(random, Rows);
                float[] residual = Values(random, m * Rows);
                using DeviceBuffer biases = gpu.Upload<float>(stream, bias);
                using DeviceBuffer residuals = gpu.Upload<float>(stream, residual);
                double[] expected = Product(x, weights, Rows);
                for (int i = 0; extras && i < expected.Length; i++)
                {
                    expected[i] += bias[i % Rows] + residual[i];
                }

                foreach (bool deterministic in new[] { false, true })
                {
                    float[] y = Call(stream, m, Rows, single, w.Weight, (y, workspace, counters) => MatMulCuda.Run(
                        kernels, stream, x.Matrix, w.Weight, extras ? biases.Pointer : 0,
                        extras ? new DeviceMatrix(residuals.Pointer, DType.F32, m, Rows, Rows) : default, y, workspace, counters, deterministic));
                    AssertNear(expected, y, Allowed(device, m, single, deterministic), $"{stored} as {device}, M {m}, K {columns}, deterministic {deterministic}");
                }

                x.Dispose();
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void RunGateUp_AnyRows_IsNearTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = Kinds[kind];
        var random = new Random(kind);
        int columns = Widths(stored)[0];
        const int Inner = 128 + 64;
        using var gate = new TestWeight(random, stored, scales == ScaleLayout.Block ? 256 : Inner, columns, scales);
        using var up = new TestWeight(random, stored, gate.Matrix.Rows, columns, scales);
        int inner = gate.Matrix.Rows;
        var host = new HostWeight(device, gate.Matrix, up.Matrix);
        double[] weights = host.Decode();
        using var w = new Uploaded(gpu, stream, host);
        foreach (int m in new[] { 1, 7, 16, 31, 64, 65 })
        {
            using var x = new Activations(gpu, stream, random, m, columns);
            double[] expected = Silu(Product(x, weights, 2 * inner), inner);
            foreach (bool deterministic in new[] { false, true })
            {
                float[] y = Call(stream, m, inner, single: false, w.Weight, (y, workspace, counters)
                    => MatMulCuda.RunGateUp(kernels, stream, x.Matrix, w.Weight, y, workspace, counters, deterministic));
                AssertNear(expected, y, 2 * Allowed(device, m, single: false, deterministic), $"{stored} as {device}, M {m}, deterministic {deterministic}");
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void RunExperts_TokensInOrderOfExpert_AreNearTheReference(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = Kinds[kind];
        var random = new Random(kind);
        int columns = Widths(stored)[0];
        const int Experts = 7;
        const int TopK = 3;
        int inner = scales == ScaleLayout.Block ? 128 : 80;
        TestWeight[] parts = [.. Enumerable.Range(0, 2 * Experts).Select(_ => new TestWeight(random, stored, inner, columns, scales))];
        var host = new HostWeight(device, [.. parts.Select(p => p.Matrix)]);
        double[] weights = host.Decode();
        using var w = new Uploaded(gpu, stream, host);
        foreach (int tokens in new[] { 1, 4, 50, 150 })
        {
            int pairs = tokens * TopK;
            // Expert 5 gets nothing.
            int[] expertOf = [.. Enumerable.Range(0, tokens).SelectMany(_ => new[] { 0, 1, 2, 3, 4, 6 }.OrderBy(_ => random.Next()).Take(TopK))];
            int[] sorted = [.. Enumerable.Range(0, pairs).OrderBy(p => expertOf[p]).ThenBy(p => p)];
            int[] offsets = [.. Enumerable.Range(0, Experts + 1).Select(e => expertOf.Count(o => o < e))];
            using DeviceBuffer sortedPairs = gpu.Upload<int>(stream, sorted);
            using DeviceBuffer expertOffsets = gpu.Upload<int>(stream, offsets);
            var order = new ExpertOrder(sortedPairs.Pointer, 0, expertOffsets.Pointer, 0, 0, 0, 0);
            using var x = new Activations(gpu, stream, random, tokens, columns);
            using var rows = new Activations(gpu, stream, random, pairs, columns);
            double[] hidden = new double[pairs * inner];
            double[] plain = new double[pairs * 2 * inner];
            for (int p = 0; p < pairs; p++)
            {
                int e = expertOf[sorted[p]];
                ReadOnlySpan<double> own = weights.AsSpan(e * 2 * inner * columns, 2 * inner * columns);
                Silu(Product(x.Row(sorted[p] / TopK), own, 2 * inner), inner).CopyTo(hidden, p * inner);
                Product(rows.Row(p), own, 2 * inner).CopyTo(plain, p * 2 * inner);
            }

            // Many pairs take the large kernels, which want tiles; those the router makes are tested with it, and here there are none.
            foreach (bool deterministic in new[] { false, true })
            {
                string what = $"{stored} as {device}, {tokens} tokens, deterministic {deterministic}";
                float[] y = Call(stream, pairs, inner, single: false, default, (y, workspace, counters)
                    => MatMulCuda.RunExpertsGateUp(kernels, stream, x.Matrix, w.Weight, Experts, order, TopK, y, workspace, counters, deterministic));
                AssertNear(hidden, y, 2 * Allowed(device, 1, single: false, deterministic), what);
                y = Call(stream, pairs, 2 * inner, single: false, default, (y, workspace, counters)
                    => MatMulCuda.RunExperts(kernels, stream, rows.Matrix, w.Weight, Experts, order, TopK, y, workspace, counters, deterministic));
                AssertNear(plain, y, Allowed(device, 1, single: false, deterministic), what);
            }
        }

        foreach (TestWeight part in parts)
        {
            part.Dispose();
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Run_Deterministic_GivesARowTheSameBitsInEveryBatch(int kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = Kinds[kind];
        var random = new Random(kind);
        int columns = Widths(stored)[^1];
        using var source = new TestWeight(random, stored, 200, columns, scales);
        using var w = new Uploaded(gpu, stream, new HostWeight(device, source.Matrix));
        using var x = new Activations(gpu, stream, random, 64, columns);
        float[] all = Rows(0, 64);
        foreach ((int first, int count) in new[] { (0, 1), (5, 1), (3, 9), (40, 24) })
        {
            Assert.Equal(all[(first * 200)..((first + count) * 200)], Rows(first, count));
        }

        float[] Rows(int first, int count) => Call(stream, count, 200, single: true, w.Weight, (y, workspace, counters)
            => MatMulCuda.Run(kernels, stream, x.Matrix.RowRange(first, count), w.Weight, 0, default, y, workspace, counters, deterministic: true));
    }

    [Theory, MemberData(nameof(Cases))]
    public void Dequantise_EveryKind_IsTheWeightInBf16(int kind, CudaTarget target)
    {
        (DType stored, ScaleLayout scales, DeviceWeightKind device, _) = Kinds[kind];
        Assert.SkipWhen(device == DeviceWeightKind.Bf16, "nothing to decode");
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream stream = gpu.Context.NewStream();
        foreach (int columns in Widths(stored))
        {
            using var source = new TestWeight(new Random(kind), stored, 150, columns, scales);
            var host = new HostWeight(device, source.Matrix);
            using var w = new Uploaded(gpu, stream, host);
            using DeviceBuffer scratch = gpu.Poisoned<byte>(stream, DequantiseCuda.Bytes(w.Weight));
            DeviceWeight plain = DequantiseCuda.Run(kernels, stream, w.Weight, scratch.Pointer);
            int stride = (int)(plain.RowBytes / 2);
            ushort[] y = gpu.Download<ushort>(stream, scratch, 150 * stride);
            double[] actual = [.. Enumerable.Range(0, 150 * columns).Select(i => (double)Bf16.ToSingle(y[(i / columns * stride) + (i % columns)]))];
            AssertClose(host.Decode(), actual, 0.003, $"{stored} as {device}, {columns} columns");
            Assert.All(Enumerable.Range(0, 150), n => Assert.All(y[((n * stride) + columns)..((n + 1) * stride)], v => Assert.Equal(0, v)));
        }
    }

    internal static int[] Widths(DType stored) => stored switch
    {
        DType.Q4_K or DType.Q5_K or DType.Q6_K => [768, 1280],
        _ when stored.IsBlock => [544, 1312],
        _ => [520, 1411],
    };

    internal static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (float)((2 * random.NextDouble()) - 1))];

    private static double[] Product(Activations x, double[] weights, int outputs)
        => [.. Enumerable.Range(0, x.Matrix.Rows).SelectMany(m => Product(x.Row(m), weights, outputs))];

    internal static double[] Product(ReadOnlySpan<float> x, ReadOnlySpan<double> weights, int outputs)
    {
        double[] y = new double[outputs];
        for (int n = 0; n < outputs; n++)
        {
            double sum = 0;
            for (int k = 0; k < x.Length; k++)
            {
                sum += x[k] * weights[(n * x.Length) + k];
            }

            y[n] = sum;
        }

        return y;
    }

    internal static double[] Silu(double[] both, int inner)
    {
        double[] y = new double[both.Length / 2];
        for (int i = 0; i < y.Length; i++)
        {
            double g = both[(i / inner * 2 * inner) + (i % inner)];
            y[i] = g / (1 + Math.Exp(-g)) * both[(i / inner * 2 * inner) + inner + (i % inner)];
        }

        return y;
    }

    // bf16 results are rounded once: 2^-9 at most, 1.7e-3 of the norm on average. f32 sums of exact products stay under 2e-5. Many rows quantise activations
    // where weights have 8 bits, or round decoded weights to bf16.
    private static double Allowed(DeviceWeightKind kind, int rows, bool single, bool deterministic) => (kind, rows) switch
    {
        _ when deterministic || rows <= 16 || kind == DeviceWeightKind.Bf16 => single ? 2e-5 : 3e-3,
        (DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block, _) => 0.04,
        (DeviceWeightKind.Int8Row, _) => 0.012,
        (_, > 64) => 4e-3,
        _ => single ? 2e-5 : 3e-3,
    };

    internal static void AssertNear(double[] expected, float[] actual, double allowed, string what) => AssertClose(expected, [.. actual.Select(v => (double)v)], allowed, what);

    private static void AssertClose<T>(T[] expected, double[] actual, double tolerance, string what)
        where T : System.Numerics.INumber<T>
    {
        Assert.Equal(expected.Length, actual.Length);
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            double e = double.CreateChecked(expected[i]);
            error += (actual[i] - e) * (actual[i] - e);
            norm += e * e;
        }

        // NaN is not below anything.
        Assert.True(Math.Sqrt(error / norm) <= tolerance, $"{what}: error {Math.Sqrt(error / norm):g3} of the norm, allowed {tolerance:g3}");
    }

    /// <summary>Calls with a poisoned y that has columns to spare, and returns its numbers; nothing beside them may have changed.</summary>
    private float[] Call(CudaStream stream, int rows, int columns, bool single, DeviceWeight w, Action<DeviceMatrix, nint, nint> run)
    {
        int stride = ((columns + 7) / 8 * 8) + Gap;
        bool sized = w.Columns > 0;
        using DeviceBuffer workspace = gpu.Poisoned<byte>(stream, sized ? MatMulCuda.WorkspaceBytes(rows, w) : 16);
        using DeviceBuffer counters = gpu.Upload<byte>(stream, new byte[sized ? MatMulCuda.CounterBytes(rows, w) : 16]);
        using DeviceBuffer buffer = gpu.Poisoned<byte>(stream, (long)rows * stride * (single ? 4 : 2));
        run(new DeviceMatrix(buffer.Pointer, single ? DType.F32 : DType.Bf16, rows, columns, stride), workspace.Pointer, counters.Pointer);
        float[] all = single ? gpu.Download<float>(stream, buffer, rows * stride) : [.. gpu.Download<ushort>(stream, buffer, rows * stride).Select(Bf16.ToSingle)];
        Assert.All(gpu.Download<byte>(stream, counters, sized ? (int)MatMulCuda.CounterBytes(rows, w) : 16), b => Assert.Equal(0, b));
        float[] y = new float[rows * columns];
        for (int m = 0; m < rows; m++)
        {
            all.AsSpan(m * stride, columns).CopyTo(y.AsSpan(m * columns));
            Assert.All(all[((m * stride) + columns)..((m + 1) * stride)], v => Assert.True(float.IsNaN(v)));
        }

        return y;
    }

    internal sealed class Uploaded : IDisposable
    {
        private readonly DeviceBuffer _data;
        private readonly DeviceBuffer _scales;
        private readonly DeviceBuffer _mins;

        public Uploaded(Gpu gpu, CudaStream stream, HostWeight host)
        {
            _data = gpu.Upload<byte>(stream, host.Data);
            _scales = gpu.Upload<byte>(stream, host.Scales);
            _mins = gpu.Upload<byte>(stream, host.Mins);
            Weight = host.Layout.At(_data.Pointer, host.Scales.Length > 0 ? _scales.Pointer : 0, host.Mins.Length > 0 ? _mins.Pointer : 0);
        }

        public DeviceWeight Weight { get; }

        public void Dispose()
        {
            _data.Dispose();
            _scales.Dispose();
            _mins.Dispose();
        }
    }

    private sealed class Activations : IDisposable
    {
        private readonly float[] _values;
        private readonly DeviceBuffer _buffer;

        public Activations(Gpu gpu, CudaStream stream, Random random, int rows, int columns)
        {
            int stride = (columns + 7) / 8 * 8;
            _values = new float[rows * columns];
            // What lies behind a row's end is NaN.
            ushort[] bits = new ushort[rows * stride];
            Array.Fill(bits, (ushort)0x7FC0);
            for (int i = 0; i < _values.Length; i++)
            {
                ushort b = Bf16.FromSingle((float)((2 * random.NextDouble()) - 1));
                bits[(i / columns * stride) + (i % columns)] = b;
                _values[i] = Bf16.ToSingle(b);
            }

            _buffer = gpu.Upload<ushort>(stream, bits);
            Matrix = new DeviceMatrix(_buffer.Pointer, DType.Bf16, rows, columns, stride);
        }

        public DeviceMatrix Matrix { get; }

        public ReadOnlySpan<float> Row(int m) => _values.AsSpan(m * Matrix.Columns, Matrix.Columns);

        public void Dispose() => _buffer.Dispose();
    }
}
