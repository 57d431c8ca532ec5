using Hadal.Graph.Adapters;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu.Lora;

/// <summary>A pair as it is computed with: both in float32, the scale in B, B's rows in the order of the weight's.</summary>
internal sealed unsafe class LoraMatrices : IDisposable
{
    private readonly NativeBuffer _a;
    private readonly NativeBuffer _b;

    public LoraMatrices(LoraPair pair)
    {
        Rank = checked((int)pair.A.Shape[0]);
        Inputs = checked((int)pair.A.Shape[1]);
        Outputs = checked((int)pair.B.Shape[0]);
        _a = Decode(pair.A, Rank, Inputs, null, 1);
        _b = Decode(pair.B, Outputs, Rank, pair.RowOrder, pair.Scale);
    }

    public int Rank { get; }

    public int Inputs { get; }

    public int Outputs { get; }

    /// <summary>[r, K].</summary>
    public WeightMatrix A => Matrix(_a.As<float>(), Rank, Inputs);

    /// <summary>[N, r], scaled.</summary>
    public WeightMatrix B => Matrix(_b.As<float>(), Outputs, Rank);

    public float* AData => _a.As<float>();

    public float* BData => _b.As<float>();

    public long ByteLength => (long)(_a.ByteLength + _b.ByteLength);

    public static WeightMatrix Matrix(float* data, int rows, int columns)
        => new() { Data = (byte*)data, DType = DType.F32, Rows = rows, Columns = columns, RowBytes = (nint)columns * sizeof(float) };

    public void Dispose()
    {
        _a.Dispose();
        _b.Dispose();
    }

    private static NativeBuffer Decode(StoredTensor tensor, int rows, int columns, int[]? order, double scale)
    {
        var stored = new WeightMatrix { Data = tensor.Data, DType = tensor.DType, Rows = rows, Columns = columns, RowBytes = (nint)tensor.DType.RowBytes(columns) };
        NativeBuffer decoded = NativeBuffer.Of<float>((nint)rows * columns);
        for (int row = 0; row < rows; row++)
        {
            float* to = decoded.As<float>() + ((nint)row * columns);
            WeightDecoder.DecodeRow(stored, order?[row] ?? row, 0, columns, to);
            for (int i = 0; i < columns; i++)
            {
                to[i] = (float)(to[i] * scale);
                if (!float.IsFinite(to[i]))
                {
                    decoded.Dispose();
                    throw new HadalException($"{tensor.Origin}: tensor {tensor.Name} holds a value that is NaN, infinite or, scaled by {scale}, too large (row {row}, column {i}).");
                }
            }
        }

        return decoded;
    }
}
