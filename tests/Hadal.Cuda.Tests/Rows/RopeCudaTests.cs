using Hadal.Kernels;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Norm;
using Hadal.Kernels.Rope;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Cuda.Tests.Rows;

/// <summary>Rotary embedding and KV writes against the CPU's references.</summary>
public sealed unsafe class RopeCudaTests(Gpu gpu)
{
    private const int NumSlots = 20;

    // Rounding of one result to bf16; a little more where a·cos − b·sin cancels.
    private const float Absolute = 2e-3f;
    private const float Relative = 1f / 125;

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void RopeTable_AsTheReference_AtLargePositionsToo(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        int[] positions = [0, 1, 2, 100, 4095, 32767, 131071, 1 << 20];
        foreach (int half in (int[])[64, 32, 5])
        {
            float[] f = [.. Enumerable.Range(0, half).Select(i => (float)Math.Pow(1e6, -(double)i / half))];
            using DeviceBuffer on = gpu.Upload<int>(s, positions);
            using DeviceBuffer frequencies = gpu.Upload<float>(s, f);
            using var table = DeviceRows.Poisoned(gpu, s, DType.F32, positions.Length, 2 * half);
            RopeTableCuda.Run(kernels, s, on.Pointer, frequencies.Pointer, 1.25f, table.Matrix);
            float[] expected = new float[positions.Length * 2 * half];
            fixed (int* p = positions)
            fixed (float* y = expected)
            {
                RopeTable.Forward(p, f, 1.25f, new MatrixF32(y, positions.Length, 2 * half, 2 * half));
            }

            TensorAssert.Close(table.Download(), expected, 1e-9f, 2.5e-7f, $"half {half}");
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void RopeAndWrites_AsTheReferences(CudaTarget target, int heads, int kvHeads, int headDim, int start, int half, bool interleaved, DType pageType)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(heads + headDim);
        const int rows = 5;
        DType type = pageType == DType.F32 ? DType.F32 : DType.Bf16;
        (float absolute, float relative) = Tolerance(type);
        long[] slots = [7, 0, -1, 19, 3];
        using var q = DeviceRows.Random(gpu, s, random, type, rows, heads * headDim);
        using var k = DeviceRows.Random(gpu, s, random, type, rows, kvHeads * headDim);
        using var v = DeviceRows.Random(gpu, s, random, type, rows, kvHeads * headDim);
        using var table = Table(s, random, rows, half);
        using DeviceBuffer on = gpu.Upload<long>(s, slots);
        int width = 2 * kvHeads * headDim;
        string context = $"{heads}/{kvHeads} heads of {headDim}, {start} + 2·{half}, interleaved {interleaved}, {pageType}";
        float[] rotatedQ = Rotate(q.Values, rows, heads, headDim, table.Values, start, half, interleaved);
        float[] rotatedK = Rotate(k.Values, rows, kvHeads, headDim, table.Values, start, half, interleaved);

        using (Pages pages = new(gpu, s, pageType, width))
        using (var to = DeviceRows.Poisoned(gpu, s, type, rows, heads * headDim))
        {
            RopeCuda.RopeQueryKvWrite(kernels, s, q.Matrix, to.Matrix, k.Matrix, v.Matrix, table.Matrix, heads, kvHeads, start, interleaved, on.Pointer, pages.Matrix);
            TensorAssert.Close(to.Download(), rotatedQ, absolute, relative, context);
            pages.Check(slots, rotatedK, v.Values, context);
        }

        using (Pages pages = new(gpu, s, pageType, width))
        {
            RopeCuda.RopeKvWrite(kernels, s, k.Matrix, v.Matrix, table.Matrix, kvHeads, start, interleaved, on.Pointer, pages.Matrix);
            pages.Check(slots, rotatedK, v.Values, context);
        }

        using (Pages pages = new(gpu, s, pageType, width))
        {
            RopeCuda.WriteKv(kernels, s, k.Matrix, v.Matrix, on.Pointer, pages.Matrix);
            pages.Check(slots, k.Values, v.Values, context);
        }

        RopeCuda.Run(kernels, s, k.Matrix, table.Matrix, kvHeads, start, interleaved, k.Matrix);
        TensorAssert.Close(k.Download(), rotatedK, absolute, relative, "in place, " + context);
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void NormRopeWrite_AsNormThenRope(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(9);
        foreach ((int headDim, bool interleaved, DType type) in ((int, bool, DType)[])[(128, false, DType.Bf16), (64, true, DType.Bf16), (16, false, DType.Bf16), (256, false, DType.Bf16), (128, true, DType.F32)])
        {
            const int rows = 3, heads = 5, kvHeads = 2;
            long[] slots = [1, -1, 4];
            using var q = DeviceRows.Random(gpu, s, random, type, rows, heads * headDim);
            using var k = DeviceRows.Random(gpu, s, random, type, rows, kvHeads * headDim);
            using var v = DeviceRows.Random(gpu, s, random, type, rows, kvHeads * headDim);
            using var table = Table(s, random, rows, headDim / 2);
            float[] qw = new float[headDim], kw = new float[headDim];
            TestMatrix.Fill(random, qw);
            TestMatrix.Fill(random, kw);
            using DeviceBuffer qWeight = gpu.Upload<float>(s, qw);
            using DeviceBuffer kWeight = gpu.Upload<float>(s, kw);
            using DeviceBuffer on = gpu.Upload<long>(s, slots);
            using Pages pages = new(gpu, s, type, 2 * kvHeads * headDim);
            RopeCuda.NormRopeQueryKvWrite(
                kernels, s, q.Matrix, q.Matrix, k.Matrix, v.Matrix, table.Matrix, heads, kvHeads, interleaved, on.Pointer, pages.Matrix, new HeadNorms(qWeight.Pointer, kWeight.Pointer, 1e-6f));
            float[] expected = Rotate(Norm(q.Values, rows, heads * headDim, qw), rows, heads, headDim, table.Values, 0, headDim / 2, interleaved);
            TensorAssert.Close(q.Download(), expected, type == DType.F32 ? 2e-6f : 4e-3f, Tolerance(type).Relative, $"q of {headDim}");
            pages.Check(slots, Rotate(Norm(k.Values, rows, kvHeads * headDim, kw), rows, kvHeads, headDim, table.Values, 0, headDim / 2, interleaved), v.Values, $"k of {headDim}");
        }
    }

    [Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]
    public void MlaNormRopeWrite_AsTheReference(CudaTarget target)
    {
        CudaKernels kernels = gpu.Kernels(target);
        using CudaStream s = gpu.Context.NewStream();
        var random = new Random(10);
        foreach ((int latent, int rope, int heads, int headDim, bool interleaved) in ((int, int, int, int, bool)[])[(512, 64, 16, 192, true), (512, 64, 128, 192, false), (64, 16, 3, 40, true), (20, 6, 2, 16, true)])
        {
            foreach (DType pageType in (DType[])[DType.Bf16, DType.F8E4M3, DType.F32])
            {
                DType type = pageType == DType.F32 ? DType.F32 : DType.Bf16;
                (float absolute, float relative) = Tolerance(type);
                const int rows = 4;
                long[] slots = [5, 6, -1, 0];
                using var kvA = DeviceRows.Random(gpu, s, random, type, rows, latent + rope);
                using var q = DeviceRows.Random(gpu, s, random, type, rows, heads * headDim);
                using var table = Table(s, random, rows, rope / 2);
                float[] w = new float[latent];
                TestMatrix.Fill(random, w);
                using DeviceBuffer weight = gpu.Upload<float>(s, w);
                using DeviceBuffer on = gpu.Upload<long>(s, slots);
                using Pages pages = new(gpu, s, pageType, latent + rope);
                MlaNormRopeKvWriteCuda.Run(kernels, s, kvA.Matrix, weight.Pointer, 1e-6f, table.Matrix, interleaved, on.Pointer, pages.Matrix, q.Matrix, heads, headDim - rope);
                string context = $"{latent} + {rope}, {heads} heads of {headDim}, {pageType}";
                TensorAssert.Close(q.Download(), Rotate(q.Values, rows, heads, headDim, table.Values, headDim - rope, rope / 2, interleaved), absolute, relative, context);

                float[] latents = new float[rows * latent], keys = new float[rows * rope];
                for (int t = 0; t < rows; t++)
                {
                    kvA.Values.AsSpan(t * (latent + rope), latent).CopyTo(latents.AsSpan(t * latent));
                    kvA.Values.AsSpan((t * (latent + rope)) + latent, rope).CopyTo(keys.AsSpan(t * rope));
                }

                pages.Check(slots, Norm(latents, rows, latent, w), Rotate(keys, rows, 1, rope, table.Values, 0, rope / 2, interleaved), context);
            }
        }
    }

    public static TheoryData<CudaTarget, int, int, int, int, int, bool, DType> Cases()
    {
        var cases = new TheoryData<CudaTarget, int, int, int, int, int, bool, DType>();
        foreach (CudaTarget target in (CudaTarget[])[CudaTarget.Sm80, CudaTarget.Sm90a])
        {
            foreach ((int heads, int kv, int dim, int start, int half) in ((int, int, int, int, int)[])[(28, 4, 128, 0, 64), (2, 2, 64, 0, 32), (3, 1, 192, 128, 32), (4, 2, 24, 4, 5), (2, 1, 128, 0, 32), (5, 2, 96, 0, 48)])
            {
                cases.Add(target, heads, kv, dim, start, half, false, DType.Bf16);
                cases.Add(target, heads, kv, dim, start, half, true, DType.F8E4M3);
                cases.Add(target, heads, kv, dim, start, half, heads % 2 == 0, DType.F32);
            }
        }

        return cases;
    }

    private static (float Absolute, float Relative) Tolerance(DType type) => type == DType.F32 ? (2e-6f, 2e-6f) : (Absolute, Relative);

    private DeviceRows Table(CudaStream s, Random random, int rows, int half)
    {
        float[] values = new float[rows * 2 * half];
        for (int t = 0; t < rows; t++)
        {
            for (int i = 0; i < half; i++)
            {
                (values[(t * 2 * half) + half + i], values[(t * 2 * half) + i]) = MathF.SinCos((float)random.NextDouble() * 9);
            }
        }

        return DeviceRows.Of(gpu, s, DType.F32, rows, 2 * half, values);
    }

    private static float[] Rotate(float[] x, int rows, int heads, int headDim, float[] table, int start, int half, bool interleaved)
    {
        var y = new float[x.Length];
        fixed (float* from = x, to = y, cos = table)
        {
            int columns = heads * headDim;
            RotaryEmbedding.ForwardReference(new MatrixF32(from, rows, columns, columns), new MatrixF32(cos, rows, 2 * half, 2 * half), heads, start, interleaved, new MatrixF32(to, rows, columns, columns));
        }

        return y;
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

    /// <summary>Poisoned pages.</summary>
    private sealed class Pages : IDisposable
    {
        private readonly Gpu _gpu;
        private readonly CudaStream _stream;
        private readonly DeviceBuffer _buffer;

        public Pages(Gpu gpu, CudaStream stream, DType dtype, int width)
        {
            _gpu = gpu;
            _stream = stream;
            _buffer = gpu.Poisoned<byte>(stream, (long)NumSlots * width * dtype.BlockBytes);
            Matrix = new DeviceMatrix(_buffer.Pointer, dtype, NumSlots, width, width);
        }

        public DeviceMatrix Matrix { get; }

        /// <summary>Rows of the slots hold [first | second]; the others are poison still.</summary>
        public void Check(long[] slots, float[] first, float[] second, string context)
        {
            int width = Matrix.Columns;
            float[] found = Matrix.DType == DType.F32
                ? _gpu.Download<float>(_stream, _buffer, NumSlots * width)
                : Matrix.DType == DType.Bf16
                ? Array.ConvertAll(_gpu.Download<ushort>(_stream, _buffer, NumSlots * width), Bf16.ToSingle)
                : Array.ConvertAll(_gpu.Download<byte>(_stream, _buffer, NumSlots * width), Fp8.E4M3ToSingle);
            float[] expected = new float[found.Length];
            Array.Fill(expected, float.NaN);
            int a = first.Length / slots.Length, b = second.Length / slots.Length;
            for (int t = 0; t < slots.Length; t++)
            {
                if (slots[t] >= 0)
                {
                    first.AsSpan(t * a, a).CopyTo(expected.AsSpan((int)slots[t] * width));
                    second.AsSpan(t * b, b).CopyTo(expected.AsSpan(((int)slots[t] * width) + a));
                }
            }

            // e4m3 has steps of 1/8 of a power of two; below 2^-6 of 2^-9.
            (float absolute, float relative) = Matrix.DType switch
            {
                DType.F32 => Tolerance(DType.F32),
                DType.Bf16 => (4e-3f, Relative),
                _ => (4e-3f, 1f / 15),
            };
            TensorAssert.Close(found, expected, absolute, relative, context);
        }

        public void Dispose() => _buffer.Dispose();
    }
}
