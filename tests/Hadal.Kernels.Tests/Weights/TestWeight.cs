using Hadal.Kernels.Weights;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Kernels.Tests.Weights;

/// <summary>A random weight matrix of any stored type, its bytes and scales in guarded memory.</summary>
internal sealed unsafe class TestWeight : IDisposable
{
    private readonly GuardedBuffer _data;
    private readonly GuardedBuffer? _scales;

    /// <param name="random">The source of all bytes.</param>
    /// <param name="dtype">Stored type.</param>
    /// <param name="rows">N.</param>
    /// <param name="columns">K.</param>
    /// <param name="layout">Scales beside the values.</param>
    /// <param name="wild">Any bit pattern: NaN, infinities, subnormals. Else finite numbers of about unit size, so that sums can be compared.</param>
    /// <param name="padBytes">Bytes between a row's end and the next row's start.</param>
    /// <param name="blockRows">Rows of a scale block.</param>
    /// <param name="blockColumns">Columns of a scale block.</param>
    public TestWeight(Random random, DType dtype, int rows, int columns, ScaleLayout layout = ScaleLayout.None, bool wild = false, int padBytes = 0, int blockRows = 128, int blockColumns = 128)
    {
        int used = (int)dtype.RowBytes(columns);
        int rowBytes = used + padBytes;
        _data = new GuardedBuffer(rows == 0 ? 0 : ((nint)(rows - 1) * rowBytes) + used);
        Span<byte> bytes = _data.Span<byte>();
        random.NextBytes(bytes);
        if (!wild)
        {
            for (int n = 0; n < rows; n++)
            {
                Tame(random, dtype, bytes.Slice(n * rowBytes, used));
            }
        }

        int stride = (columns + blockColumns - 1) / blockColumns;
        int numScales = layout switch
        {
            ScaleLayout.PerRow => rows,
            ScaleLayout.Block => (rows + blockRows - 1) / blockRows * stride,
            _ => 0,
        };
        if (numScales > 0)
        {
            _scales = GuardedBuffer.Of<float>(numScales);
            foreach (ref float s in _scales.Span<float>())
            {
                s = (0.5f + random.NextSingle()) * (dtype is DType.I8 ? 1 / 64f : 1);
            }
        }

        Matrix = new WeightMatrix
        {
            Data = _data.Pointer,
            DType = dtype,
            Rows = rows,
            Columns = columns,
            RowBytes = rowBytes,
            ScaleLayout = layout,
            Scales = _scales is null ? null : _scales.As<float>(),
            ScaleBlockRows = layout == ScaleLayout.Block ? blockRows : 0,
            ScaleBlockColumns = layout == ScaleLayout.Block ? blockColumns : 0,
            ScaleStride = layout == ScaleLayout.Block ? stride : 0,
        };
    }

    public WeightMatrix Matrix { get; }

    /// <summary>The values, as the reference decodes them.</summary>
    public float[] Decode()
    {
        float[] all = new float[Matrix.Rows * Matrix.Columns];
        fixed (float* p = all)
        {
            for (int n = 0; n < Matrix.Rows; n++)
            {
                WeightDecoder.DecodeRowReference(Matrix, n, 0, Matrix.Columns, p + ((nint)n * Matrix.Columns));
            }
        }

        return all;
    }

    public void Dispose()
    {
        _data.Dispose();
        _scales?.Dispose();
    }

    private static void Tame(Random random, DType dtype, Span<byte> row)
    {
        float Value() => (2 * random.NextSingle()) - 1;
        if (dtype.IsBlock)
        {
            int scaleAt = dtype == DType.Q6_K ? 208 : 0;
            bool hasMin = dtype is DType.Q4_1 or DType.Q5_1 or DType.Q4_K or DType.Q5_K;
            float unit = dtype switch
            {
                DType.Q8_0 => 1 / 128f,
                DType.Q4_K or DType.Q5_K => 1 / 1024f,
                DType.Q6_K => 1 / 4096f,
                _ => 1 / 16f,
            };
            for (int b = 0; b < row.Length; b += dtype.BlockBytes)
            {
                BitConverter.TryWriteBytes(row[(b + scaleAt)..], (Half)((0.5f + random.NextSingle()) * unit));
                if (hasMin)
                {
                    BitConverter.TryWriteBytes(row[(b + 2)..], (Half)(random.NextSingle() * unit));
                }
            }

            return;
        }

        for (int i = 0; i < row.Length; i += dtype.BlockBytes)
        {
            switch (dtype)
            {
                case DType.F32:
                    BitConverter.TryWriteBytes(row[i..], Value());
                    break;
                case DType.F16:
                    BitConverter.TryWriteBytes(row[i..], (Half)Value());
                    break;
                case DType.Bf16:
                    BitConverter.TryWriteBytes(row[i..], Bf16.FromSingle(Value()));
                    break;
                case DType.F8E4M3:
                    row[i] = Fp8.E4M3FromSingle(Value());
                    break;
                case DType.F8E5M2:
                    row[i] = (byte)(BitConverter.HalfToUInt16Bits((Half)Value()) >> 8);
                    break;
            }
        }
    }
}
