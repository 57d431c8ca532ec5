using Hadal.Kernels.Cuda;
using Hadal.Numerics;
using Hadal.TestKit;

namespace Hadal.Cuda.Tests.Rows;

/// <summary>A matrix on the card with a gap between its rows, and its values on the host, rounded to its type.</summary>
internal sealed class DeviceRows : IDisposable
{
    private const int Gap = 8;

    private readonly Gpu _gpu;
    private readonly CudaStream _stream;
    private readonly DeviceBuffer _buffer;

    private DeviceRows(Gpu gpu, CudaStream stream, DeviceBuffer buffer, DType dtype, int rows, int columns, int stride, float[] values)
    {
        _gpu = gpu;
        _stream = stream;
        _buffer = buffer;
        Matrix = new DeviceMatrix(buffer.Pointer, dtype, rows, columns, stride);
        Values = values;
    }

    public DeviceMatrix Matrix { get; }

    /// <summary>Row by row, without the gap.</summary>
    public float[] Values { get; }

    public static DeviceRows Of(Gpu gpu, CudaStream stream, DType dtype, int rows, int columns, ReadOnlySpan<float> values)
    {
        int stride = ((columns + 7) / 8 * 8) + Gap;
        float[] rounded = values.ToArray();
        DeviceBuffer buffer;
        if (dtype == DType.F32)
        {
            float[] data = new float[rows * stride];
            Array.Fill(data, float.NaN);
            for (int r = 0; r < rows; r++)
            {
                values.Slice(r * columns, columns).CopyTo(data.AsSpan(r * stride));
            }

            buffer = gpu.Upload<float>(stream, data);
        }
        else
        {
            ushort[] data = new ushort[rows * stride];
            Array.Fill(data, (ushort)0xFFFF);
            for (int i = 0; i < rounded.Length; i++)
            {
                ushort bits = Bf16.FromSingle(rounded[i]);
                data[(i / columns * stride) + (i % columns)] = bits;
                rounded[i] = Bf16.ToSingle(bits);
            }

            buffer = gpu.Upload<ushort>(stream, data);
        }

        return new DeviceRows(gpu, stream, buffer, dtype, rows, columns, stride, rounded);
    }

    public static DeviceRows Random(Gpu gpu, CudaStream stream, Random random, DType dtype, int rows, int columns, double scale = 1)
    {
        float[] values = new float[rows * columns];
        TestMatrix.Fill(random, values, scale);
        return Of(gpu, stream, dtype, rows, columns, values);
    }

    public static DeviceRows Poisoned(Gpu gpu, CudaStream stream, DType dtype, int rows, int columns)
    {
        int stride = ((columns + 7) / 8 * 8) + Gap;
        int bytes = dtype switch { DType.F32 => 4, DType.Bf16 => 2, _ => 1 };
        stride = bytes == 1 ? (stride + 15) / 16 * 16 : stride;
        DeviceBuffer buffer = gpu.Poisoned<byte>(stream, (long)rows * stride * bytes);
        return new DeviceRows(gpu, stream, buffer, dtype, rows, columns, stride, []);
    }

    /// <summary>What is on the card now; fails where a gap was written to.</summary>
    public float[] Download()
    {
        int stride = Matrix.Stride;
        var all = new float[Matrix.Rows * stride];
        switch (Matrix.DType)
        {
            case DType.F32:
                all = _gpu.Download<float>(_stream, _buffer, all.Length);
                break;
            case DType.Bf16:
                all = Array.ConvertAll(_gpu.Download<ushort>(_stream, _buffer, all.Length), Bf16.ToSingle);
                break;
            case DType.F8E4M3:
                all = Array.ConvertAll(_gpu.Download<byte>(_stream, _buffer, all.Length), Fp8.E4M3ToSingle);
                break;
            default:
                all = Array.ConvertAll(_gpu.Download<sbyte>(_stream, _buffer, all.Length), v => (float)v);
                break;
        }

        var values = new float[Matrix.Rows * Matrix.Columns];
        for (int i = 0; i < all.Length; i++)
        {
            int column = i % stride;
            if (column < Matrix.Columns)
            {
                values[(i / stride * Matrix.Columns) + column] = all[i];
            }
            else
            {
                Assert.True(float.IsNaN(all[i]) || all[i] == -1f, $"row {i / stride}: column {column} past the width of {Matrix.Columns} was written to");
            }
        }

        return values;
    }

    public void Dispose() => _buffer.Dispose();
}
