using Hadal.Kernels;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Elementwise;
using Hadal.Kernels.Embedding;
using Hadal.Kernels.Norm;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Cuda.Tests.Rows;

/// <summary>Embedding, norms and operations element by element against the CPU's references.</summary>
public sealed unsafe class RowsTests(Gpu gpu)
{
    // One rounding to bf16 after arithmetic in float32.
    private const float Bf16Error = 1f / 250;

    private static readonly int[] _widths = [8, 64, 100, 512, 1536, 3579, 3584, 4096, 7168, 8192, 16384];

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Embed_RowsOfTokens_AndNaNForUnknownIds(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(1);
        foreach (int width in (int[])[8, 100, 3584])
        {
            using var table = DeviceRows.Random(gpu, s, random, DType.Bf16, 50, width);
            int[] ids = [3, 49, 0, 50, -1, 3];
            using DeviceBuffer tokens = gpu.Upload<int>(s, ids);
            foreach (DType dtype in (DType[])[DType.F32, DType.Bf16])
            {
                using var y = DeviceRows.Poisoned(gpu, s, dtype, ids.Length, width);
                EmbedCuda.Run(kernels, s, table.Matrix, tokens.Pointer, y.Matrix);
                float[] expected = [.. ids.SelectMany(id => (uint)id < 50 ? table.Values.Skip(id * width).Take(width) : Enumerable.Repeat(float.NaN, width))];
                TensorAssert.BitEqual(y.Download(), expected, $"{width} {dtype}");
            }

            using var floats = DeviceRows.Random(gpu, s, random, DType.F32, 50, width);
            using var copies = DeviceRows.Poisoned(gpu, s, DType.F32, ids.Length, width);
            EmbedCuda.Run(kernels, s, floats.Matrix, tokens.Pointer, copies.Matrix);
            TensorAssert.BitEqual(copies.Download(), [.. ids.SelectMany(id => (uint)id < 50 ? floats.Values.Skip(id * width).Take(width) : Enumerable.Repeat(float.NaN, width))], $"{width} of a table of F32");
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void SelectRows_AndRowsOfPairs_AreCopies(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(2);
        foreach (DType dtype in (DType[])[DType.F32, DType.Bf16])
        {
            using var x = DeviceRows.Random(gpu, s, random, dtype, 7, 100);
            int[] rows = [6, 0, 0, 3];
            using DeviceBuffer on = gpu.Upload<int>(s, rows);
            using var y = DeviceRows.Poisoned(gpu, s, dtype, rows.Length, 100);
            SelectRowsCuda.Run(kernels, s, x.Matrix, on.Pointer, y.Matrix);
            TensorAssert.BitEqual(y.Download(), [.. rows.SelectMany(r => x.Values.Skip(r * 100).Take(100))], "select");

            int[] pairs = [20, 3, 0, 11];
            using DeviceBuffer sorted = gpu.Upload<int>(s, pairs);
            using DeviceBuffer count = gpu.Upload<int>(s, [3]);
            using var z = DeviceRows.Poisoned(gpu, s, dtype, pairs.Length, 100);
            SelectRowsCuda.RunPairs(kernels, s, x.Matrix, sorted.Pointer, 3, count.Pointer, z.Matrix);
            float[] found = z.Download();
            TensorAssert.BitEqual(found.AsSpan(0, 300), [.. pairs.Take(3).SelectMany(p => x.Values.Skip(p / 3 * 100).Take(100))], "pairs");
            Assert.All(found[300..], v => Assert.True(float.IsNaN(v)));
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void RmsNorm_AsTheReference(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(3);
        foreach (int width in _widths)
        {
            foreach ((DType xType, DType yType) in ((DType, DType)[])[(DType.F32, DType.F32), (DType.F32, DType.Bf16), (DType.Bf16, DType.F32), (DType.Bf16, DType.Bf16)])
            {
                const int rows = 3;
                using var x = DeviceRows.Random(gpu, s, random, xType, rows, width);
                using var residual = DeviceRows.Random(gpu, s, random, DType.F32, rows, width);
                float[] w = Weights(random, width);
                using DeviceBuffer weight = gpu.Upload<float>(s, w);
                using var y = DeviceRows.Poisoned(gpu, s, yType, rows, width);
                using var z = DeviceRows.Poisoned(gpu, s, yType, rows, width);
                using var sum = DeviceRows.Poisoned(gpu, s, DType.F32, rows, width);
                float error = yType == DType.F32 ? 2e-6f : Bf16Error;

                RmsNormCuda.Run(kernels, s, x.Matrix, weight.Pointer, width, 1e-6f, y.Matrix);
                TensorAssert.Close(y.Download(), Norm(x.Values, rows, width, w), 1e-7f, error, $"{width} {xType} {yType}");

                RmsNormCuda.RunAdd(kernels, s, x.Matrix, residual.Matrix, weight.Pointer, 1e-6f, sum.Matrix, z.Matrix);
                float[] added = [.. x.Values.Zip(residual.Values, (a, b) => a + b)];
                TensorAssert.BitEqual(sum.Download(), added, $"sum {width} {xType}");
                TensorAssert.Close(z.Download(), Norm(added, rows, width, w), 1e-7f, error, $"add {width} {xType} {yType}");

                int[] chosen = [2, 0];
                using DeviceBuffer on = gpu.Upload<int>(s, chosen);
                using var last = DeviceRows.Poisoned(gpu, s, yType, 2, width);
                RmsNormCuda.RunAdd(kernels, s, x.Matrix, residual.Matrix, weight.Pointer, 1e-6f, default, last.Matrix, on.Pointer);
                float[] all = z.Download();
                TensorAssert.BitEqual(last.Download(), [.. all[(2 * width)..], .. all[..width]], $"rows {width}");
            }
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void RmsNorm_OfHeadsInPlace_AsTheReference(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(4);
        foreach ((int width, int heads) in ((int, int)[])[(128, 28), (64, 5), (256, 3), (20, 6), (300, 3)])
        {
            using var x = DeviceRows.Random(gpu, s, random, DType.Bf16, 3, width * heads);
            float[] w = Weights(random, width);
            using DeviceBuffer weight = gpu.Upload<float>(s, w);
            RmsNormCuda.Run(kernels, s, x.Matrix, weight.Pointer, width, 1e-6f, x.Matrix);
            TensorAssert.Close(x.Download(), Norm(x.Values, 3, width * heads, w), 1e-6f, Bf16Error, $"{heads} heads of {width}");
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void Elementwise_EveryMixtureOfTypes(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(5);
        DType[] types = [DType.F32, DType.Bf16];
        foreach (int width in (int[])[3, 8, 100, 18944])
        {
            foreach ((DType at, DType bt, DType yt) in types.SelectMany(a => types.SelectMany(b => types.Select(y => (a, b, y)))))
            {
                using var a = DeviceRows.Random(gpu, s, random, at, 2, width, 3);
                using var b = DeviceRows.Random(gpu, s, random, bt, 2, width, 3);
                float error = yt == DType.F32 ? 1e-6f : Bf16Error;
                Check("add", y => ElementwiseCuda.Add(kernels, s, a.Matrix, b.Matrix, y), (x, z) => (double)x + z);
                Check("mul", y => ElementwiseCuda.Mul(kernels, s, a.Matrix, b.Matrix, y), (x, z) => (double)x * z);
                Check("silu", y => ElementwiseCuda.Silu(kernels, s, a.Matrix, y), (x, _) => Silu(x));
                Check("silu_mul", y => ElementwiseCuda.SiluMul(kernels, s, a.Matrix, b.Matrix, y), (x, z) => Silu(x) * z);
                Check("copy", y => ElementwiseCuda.Copy(kernels, s, a.Matrix, y), (x, _) => x);

                float[] bias = Weights(random, width);
                using DeviceBuffer on = gpu.Upload<float>(s, bias);
                using var sum = DeviceRows.Poisoned(gpu, s, yt, 2, width);
                ElementwiseCuda.AddBias(kernels, s, a.Matrix, on.Pointer, sum.Matrix);
                TensorAssert.Close(sum.Download(), [.. a.Values.Select((v, i) => v + bias[i % width])], 1e-6f, error, $"bias {width} {at} {yt}");

                void Check(string name, Action<DeviceMatrix> run, Func<float, float, double> expected)
                {
                    using var y = DeviceRows.Poisoned(gpu, s, yt, 2, width);
                    run(y.Matrix);
                    TensorAssert.Close(y.Download(), [.. a.Values.Zip(b.Values, (x, z) => (float)expected(x, z))], 1e-6f, error, $"{name} {width} {at} {bt} {yt}");
                }
            }
        }

        static double Silu(double v) => v / (1 + Math.Exp(-v));
    }

    [Fact]
    public void Launchers_RefuseWhatKernelsCannotRead()
    {
        CudaKernels kernels = gpu.Kernels(CudaTarget.Auto);
        using CudaStream s = gpu.Context.NewStream();
        using var x = DeviceRows.Poisoned(gpu, s, DType.Bf16, 2, 64);
        Assert.Throws<ArgumentOutOfRangeException>(() => ElementwiseCuda.Copy(kernels, s, x.Matrix with { Data = x.Matrix.Data + 2 }, x.Matrix));
        Assert.Throws<ArgumentOutOfRangeException>(() => ElementwiseCuda.Copy(kernels, s, x.Matrix with { Stride = 60 }, x.Matrix));
        Assert.Throws<ArgumentOutOfRangeException>(() => ElementwiseCuda.Copy(kernels, s, x.Matrix with { DType = DType.F16 }, x.Matrix));
        Assert.Throws<ArgumentOutOfRangeException>(() => ElementwiseCuda.Copy(kernels, s, x.Matrix with { Columns = 63 }, x.Matrix));
        Assert.Throws<ArgumentOutOfRangeException>(() => ElementwiseCuda.Copy(kernels, s, x.Matrix with { Rows = 1 }, x.Matrix));
        Assert.Throws<ArgumentOutOfRangeException>(() => RmsNormCuda.Run(kernels, s, x.Matrix, x.Matrix.Data, 48, 1e-6f, x.Matrix));
    }

    private static float[] Weights(Random random, int count)
    {
        float[] w = new float[count];
        TestMatrix.Fill(random, w);
        return w;
    }

    private static float[] Norm(float[] x, int rows, int columns, float[] w)
    {
        var y = new float[x.Length];
        fixed (float* from = x, to = y)
        {
            RmsNorm.ForwardReference(new MatrixF32(from, rows, columns, columns), w, 1e-6f, new MatrixF32(to, rows, columns, columns));
        }

        return y;
    }
}
