using System.Runtime.InteropServices;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.MatMul;
using Hadal.Kernels.Moe;
using Hadal.Kernels.Quantize;
using Hadal.Kernels.Tests.Weights;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.MatMul;

public sealed unsafe class MatMulLargeCudaTests(Gpu gpu)
{
    // Poisoned columns to the right of every result.
    private const int Gap = 8;

    private static readonly (int M, int N, int K)[] _shapes = [(1, 8, 8), (65, 256, 64), (129, 264, 520), (300, 200, 1411), (140, 1000, 72), (67, 131, 264), (70, 128, 4096)];

    public static TheoryData<DeviceWeightKind, CudaTarget> Cases
    {
        get
        {
            var data = new TheoryData<DeviceWeightKind, CudaTarget>();
            foreach (DeviceWeightKind kind in new[] { DeviceWeightKind.Bf16, DeviceWeightKind.Fp8Row, DeviceWeightKind.Fp8Block, DeviceWeightKind.Int8Row })
            {
                data.Add(kind, CudaTarget.Sm80);
                data.Add(kind, CudaTarget.Sm90a);
            }

            return data;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Run_RaggedShapes_IsNearTheReference(DeviceWeightKind kind, CudaTarget target)
    {
        CudaKernels kernels = Kernels(kind, target);
        using CudaStream stream = gpu.Context.NewStream();
        foreach ((int m, int n, int k) in _shapes)
        {
            var random = new Random(m);
            using TestWeight source = Weight(random, kind, n, k);
            using var w = new Card(gpu, stream, new HostWeight(kind, source.Matrix));
            using var x = new Rows(gpu, stream, random, kind, m, k);
            float[] bias = Values(random, n);
            int residualStride = (n + 7) / 8 * 8;
            float[] residual = Values(random, m * residualStride);
            using DeviceBuffer biases = gpu.Upload<float>(stream, bias);
            using DeviceBuffer residuals = gpu.Upload<float>(stream, residual);
            double[] plain = Product(x.Values, w.Values, m, n, k);
            double[] full = [.. plain.Select((v, i) => v + bias[i % n] + residual[(i / n * residualStride) + (i % n)])];
            var added = new DeviceMatrix(residuals.Pointer, DType.F32, m, n, residualStride);
            AssertNear(plain, Call(stream, m, n, single: false, y => Run(kernels, stream, x, w.Weight, 0, default, y)), kind, single: false, $"{m}x{n}x{k}");
            AssertNear(full, Call(stream, m, n, single: true, y => Run(kernels, stream, x, w.Weight, biases.Pointer, added, y)), kind, single: true, $"{m}x{n}x{k} with bias and residual");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void RunGateUp_RaggedShapes_IsNearTheReference(DeviceWeightKind kind, CudaTarget target)
    {
        CudaKernels kernels = Kernels(kind, target);
        using CudaStream stream = gpu.Context.NewStream();
        foreach ((int m, int inner, int k) in new[] { (70, 128, 200), (257, kind == DeviceWeightKind.Fp8Block ? 384 : 203, 264), (3, 256, 1411) })
        {
            var random = new Random(m);
            using TestWeight gate = Weight(random, kind, inner, k);
            using TestWeight up = Weight(random, kind, inner, k);
            using var w = new Card(gpu, stream, new HostWeight(kind, gate.Matrix, up.Matrix));
            using var x = new Rows(gpu, stream, random, kind, m, k);
            double[] expected = Silu(Product(x.Values, w.Values, m, 2 * inner, k), inner);
            float[] actual = Call(stream, m, inner, single: false, y =>
            {
                if (kind == DeviceWeightKind.Bf16)
                {
                    MatMulLargeCuda.RunGateUp(kernels, stream, x.Matrix, w.Weight, y);
                }
                else
                {
                    MatMulLargeCuda.RunGateUp(kernels, stream, x.Quantized, w.Weight, y);
                }
            });
            AssertNear(expected, actual, kind, single: false, $"{m}x{inner}x{k}");
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void RunExperts_RaggedGroups_IsNearTheReference(DeviceWeightKind kind, CudaTarget target)
    {
        CudaKernels kernels = Kernels(kind, target);
        using CudaStream stream = gpu.Context.NewStream();
        var random = new Random(5);
        int[] counts = [3, 0, 200, 128, 77];
        const int K = 264;
        const int Inner = 128;
        int experts = counts.Length;
        int pairs = counts.Sum();
        int[] offsets = [.. Enumerable.Range(0, experts + 1).Select(e => counts.Take(e).Sum())];
        int[] tiles = [.. Enumerable.Range(0, experts).SelectMany(e => Enumerable.Range(0, (counts[e] + 127) / 128).SelectMany(t => new[] { e, offsets[e] + (t * 128) }))];
        using DeviceBuffer offsetBuffer = gpu.Upload<int>(stream, offsets);
        using DeviceBuffer tileBuffer = gpu.Upload<int>(stream, [.. tiles, -1, 0]);
        using DeviceBuffer tileCount = gpu.Upload<int>(stream, [tiles.Length / 2]);
        var order = new ExpertOrder(0, 0, offsetBuffer.Pointer, tileBuffer.Pointer, tileCount.Pointer, MatMulLargeCuda.TileRows, 0);
        TestWeight[] parts = [.. Enumerable.Range(0, 2 * experts).Select(_ => Weight(random, kind, Inner, K))];
        using var w = new Card(gpu, stream, new HostWeight(kind, [.. parts.Select(p => p.Matrix)]));
        using var x = new Rows(gpu, stream, random, kind, pairs, K);
        double[] plain = new double[pairs * 2 * Inner];
        for (int e = 0; e < experts; e++)
        {
            Product(x.Values[(offsets[e] * K)..(offsets[e + 1] * K)], w.Values[(e * 2 * Inner * K)..((e + 1) * 2 * Inner * K)], counts[e], 2 * Inner, K).CopyTo(plain, offsets[e] * 2 * Inner);
        }

        foreach (bool gateUp in new[] { false, true })
        {
            float[] actual = Call(stream, pairs, gateUp ? Inner : 2 * Inner, single: !gateUp, y =>
            {
                if (kind == DeviceWeightKind.Bf16)
                {
                    MatMulLargeCuda.RunExperts(kernels, stream, x.Matrix, w.Weight, experts, order, gateUp, y);
                }
                else
                {
                    MatMulLargeCuda.RunExperts(kernels, stream, x.Quantized, w.Weight, experts, order, gateUp, y);
                }
            });
            AssertNear(gateUp ? Silu(plain, Inner) : plain, actual, kind, single: !gateUp, $"gate-up {gateUp}");
        }

        foreach (TestWeight part in parts)
        {
            part.Dispose();
        }
    }

    [Fact]
    public void Choose_AnyShape_FillsTheCardAndKeepsToIt()
    {
        int[] widths = [256, 224, 192, 128, 64];
        foreach (int m in new[] { 1, 65, 128, 129, 512, 2048, 100_000 })
        {
            foreach (int n in new[] { 8, 64, 3584, 4608, 37_888 })
            {
                foreach (int k in new[] { 16, 7168, 37_888 })
                {
                    LargeTile tile = LargeTile.Choose(m, n, k, gateUp: false, 132, widths, [128, 256]);
                    Assert.Contains(tile.Width, widths);
                    Assert.InRange(tile.Grid, 1, 132);
                    Assert.Equal(0, tile.Grid % tile.Split);
                    Assert.True(tile.Split == 1 || k / 128 >= tile.Split);
                    Assert.InRange(tile.Stages, 3, 8);
                    Assert.InRange(tile.SharedBytes, 1, 232_448);
                }
            }
        }
    }

    [Theory]
    [InlineData(2048, 3584, 7168, 224, 1)]
    [InlineData(2048, 4608, 7168, 192, 1)]
    [InlineData(512, 3584, 7168, 128, 1)]
    [InlineData(128, 3584, 7168, 64, 1)]
    [InlineData(128, 3584, 37_888, 128, 4)]
    [InlineData(256, 3584, 37_888, 256, 4)]
    public void Choose_ShapesOfASevenBillionModel_LeavesNoRoundHalfEmpty(int m, int n, int rowBytes, int width, int split)
    {
        LargeTile tile = LargeTile.Choose(m, n, rowBytes, gateUp: false, 132, [256, 224, 192, 128, 64], [128, 256]);
        Assert.Equal((width, split), (tile.Width, tile.Split));
    }

    [Fact]
    public void Args_AreLaidOutAsTheKernels()
    {
        Assert.Equal(376, sizeof(MatMulLargeCuda.Args));
        Assert.Equal(256, Marshal.OffsetOf<MatMulLargeCuda.Args>(nameof(MatMulLargeCuda.Args.Y)).ToInt32());
        Assert.Equal(320, Marshal.OffsetOf<MatMulLargeCuda.Args>(nameof(MatMulLargeCuda.Args.YStride)).ToInt32());
        Assert.Equal(352, Marshal.OffsetOf<MatMulLargeCuda.Args>(nameof(MatMulLargeCuda.Args.WScaleStride)).ToInt32());
        Assert.Equal(80, Marshal.OffsetOf<MatMulLargeCuda.MmaArgs>(nameof(MatMulLargeCuda.MmaArgs.XRowBytes)).ToInt32());
        Assert.Equal(128, Marshal.OffsetOf<MatMulLargeCuda.MmaArgs>(nameof(MatMulLargeCuda.MmaArgs.ExpertScaleStride)).ToInt32());
    }

    private static void Run(CudaKernels kernels, CudaStream stream, Rows x, in DeviceWeight w, nint bias, in DeviceMatrix residual, in DeviceMatrix y)
    {
        if (w.Kind == DeviceWeightKind.Bf16)
        {
            MatMulLargeCuda.Run(kernels, stream, x.Matrix, w, bias, residual, y);
        }
        else
        {
            MatMulLargeCuda.Run(kernels, stream, x.Quantized, w, bias, residual, y);
        }
    }

    private CudaKernels Kernels(DeviceWeightKind kind, CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        Assert.SkipUnless(MatMulLargeCuda.Takes(kernels, kind), $"{kind} is decoded first on {target}");
        return kernels;
    }

    private static TestWeight Weight(Random random, DeviceWeightKind kind, int rows, int columns) => kind switch
    {
        DeviceWeightKind.Fp8Row => new TestWeight(random, DType.F8E4M3, rows, columns, ScaleLayout.PerRow),
        DeviceWeightKind.Fp8Block => new TestWeight(random, DType.F8E4M3, rows, columns, ScaleLayout.Block),
        DeviceWeightKind.Int8Row => new TestWeight(random, DType.I8, rows, columns, ScaleLayout.PerRow),
        _ => new TestWeight(random, DType.Bf16, rows, columns),
    };

    private static float[] Values(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => (float)((2 * random.NextDouble()) - 1))];

    private static double[] Product(double[] x, double[] w, int m, int n, int k)
    {
        double[] y = new double[m * n];
        Parallel.For(0, m, i =>
        {
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int c = 0; c < k; c++)
                {
                    sum += x[(i * k) + c] * w[(j * k) + c];
                }

                y[(i * n) + j] = sum;
            }
        });
        return y;
    }

    private static double[] Silu(double[] both, int inner)
    {
        double[] y = new double[both.Length / 2];
        for (int i = 0; i < y.Length; i++)
        {
            double g = both[(i / inner * 2 * inner) + (i % inner)];
            y[i] = g / (1 + Math.Exp(-g)) * both[(i / inner * 2 * inner) + inner + (i % inner)];
        }

        return y;
    }

    // Rounding to bf16: 1.7e-3 of the norm. f32: sums of exact products 3e-6, of the FP8 tensor cores' short sums 4e-4.
    private static void AssertNear(double[] expected, float[] actual, DeviceWeightKind kind, bool single, string what)
    {
        bool fp8 = kind is DeviceWeightKind.Fp8Row or DeviceWeightKind.Fp8Block;
        double tolerance = !single ? 3e-3 : fp8 ? 1e-3 : 1e-5;
        double error = 0;
        double norm = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            error += (actual[i] - expected[i]) * (actual[i] - expected[i]);
            norm += expected[i] * expected[i];
        }

        // NaN is not below anything.
        Assert.True(Math.Sqrt(error / norm) <= tolerance, $"{kind} {what}: error {Math.Sqrt(error / norm):g3} of the norm, allowed {tolerance:g3}");
    }

    /// <summary>Calls with a poisoned y that has columns to spare, and returns its numbers; nothing beside them may have changed.</summary>
    private float[] Call(CudaStream stream, int rows, int columns, bool single, Action<DeviceMatrix> run)
    {
        int stride = ((columns + 7) / 8 * 8) + Gap;
        using DeviceBuffer buffer = gpu.Poisoned<byte>(stream, (long)(rows + 1) * stride * (single ? 4 : 2));
        run(new DeviceMatrix(buffer.Pointer, single ? DType.F32 : DType.Bf16, rows, columns, stride));
        float[] all = single ? gpu.Download<float>(stream, buffer, (rows + 1) * stride) : [.. gpu.Download<ushort>(stream, buffer, (rows + 1) * stride).Select(Bf16.ToSingle)];
        float[] y = new float[rows * columns];
        for (int m = 0; m < rows; m++)
        {
            all.AsSpan(m * stride, columns).CopyTo(y.AsSpan(m * columns));
            Assert.All(all[((m * stride) + columns)..((m + 1) * stride)], v => Assert.True(float.IsNaN(v)));
        }

        Assert.All(all[(rows * stride)..], v => Assert.True(float.IsNaN(v)));
        return y;
    }

    private sealed class Card : IDisposable
    {
        private readonly DeviceBuffer _data;
        private readonly DeviceBuffer _scales;

        public Card(Gpu gpu, CudaStream stream, HostWeight host)
        {
            _data = gpu.Upload<byte>(stream, host.Data);
            _scales = gpu.Upload<byte>(stream, host.Scales);
            Weight = host.Layout.At(_data.Pointer, host.Scales.Length > 0 ? _scales.Pointer : 0, 0);
            Values = host.Decode();
        }

        public DeviceWeight Weight { get; }

        public double[] Values { get; }

        public void Dispose()
        {
            _data.Dispose();
            _scales.Dispose();
        }
    }

    /// <summary>Activations as weights of a kind want them; what lies behind a row's end is NaN, or as large as can be.</summary>
    private sealed class Rows : IDisposable
    {
        private readonly DeviceBuffer _buffer;
        private readonly DeviceBuffer _scales;

        public Rows(Gpu gpu, CudaStream stream, Random random, DeviceWeightKind kind, int rows, int columns)
        {
            int stride = ((columns + 15) / 16 * 16) + 16;
            int groups = kind == DeviceWeightKind.Fp8Block ? (columns + 127) / 128 : 1;
            float[] scales = [.. Enumerable.Range(0, rows * groups).Select(_ => 0.5f + (float)random.NextDouble())];
            Values = new double[rows * columns];
            byte[] bytes = new byte[rows * stride];
            ushort[] bits = new ushort[rows * stride];
            Array.Fill(bytes, (byte)0x7F);
            Array.Fill(bits, (ushort)0x7FC0);
            for (int i = 0; i < Values.Length; i++)
            {
                int at = (i / columns * stride) + (i % columns);
                float value = (float)((2 * random.NextDouble()) - 1);
                // Scales by columns of rows, as one after the other in memory as the kernel reads them.
                float scale = scales[((i % columns / 128 % groups) * rows) + (i / columns)];
                switch (kind)
                {
                    case DeviceWeightKind.Bf16:
                        bits[at] = Bf16.FromSingle(value);
                        Values[i] = Bf16.ToSingle(bits[at]);
                        break;
                    case DeviceWeightKind.Int8Row:
                        bytes[at] = (byte)(sbyte)MathF.Round(value * 127);
                        Values[i] = (double)(sbyte)bytes[at] * scale;
                        break;
                    default:
                        bytes[at] = Fp8.E4M3FromSingle(value * 448);
                        Values[i] = (double)Fp8.E4M3ToSingle(bytes[at]) * scale;
                        break;
                }
            }

            _buffer = kind == DeviceWeightKind.Bf16 ? gpu.Upload<ushort>(stream, bits) : gpu.Upload<byte>(stream, bytes);
            _scales = gpu.Upload<float>(stream, scales);
            DType type = kind switch { DeviceWeightKind.Bf16 => DType.Bf16, DeviceWeightKind.Int8Row => DType.I8, _ => DType.F8E4M3 };
            Matrix = new DeviceMatrix(_buffer.Pointer, type, rows, columns, stride);
            Quantized = kind == DeviceWeightKind.Bf16 ? default : new QuantizedActivations(MatMulLargeCuda.Activations(kind)!.Value, Matrix, _scales.Pointer, 1, rows);
        }

        public DeviceMatrix Matrix { get; }

        public QuantizedActivations Quantized { get; }

        public double[] Values { get; }

        public void Dispose()
        {
            _buffer.Dispose();
            _scales.Dispose();
        }
    }
}
