using System.Diagnostics.CodeAnalysis;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Models.Tests.Lora;

/// <summary>A checkpoint with an adapter merged into it: W + s·B·A in float32, summed in float64.</summary>
internal sealed unsafe class MergedTensors : ITensorSource
{
    private readonly ITensorSource _base;
    private readonly Dictionary<string, StoredTensor> _merged = new(StringComparer.Ordinal);
    private readonly List<NativeBuffer> _buffers = [];

    public MergedTensors(ITensorSource source, (int Rows, int Columns)? fp8Block, AdapterFolder adapter)
    {
        _base = source;
        foreach ((string name, (float[] a, float[] b, int rank, double scale)) in adapter.Pairs)
        {
            Assert.True(source.TryGet(name, out StoredTensor? stored), name);
            int rows = (int)stored.Shape[0];
            int columns = (int)stored.Shape[1];
            NativeBuffer buffer = NativeBuffer.Of<float>((nint)rows * columns);
            _buffers.Add(buffer);
            for (int n = 0; n < rows; n++)
            {
                float* row = buffer.As<float>() + ((nint)n * columns);
                Decode(stored, n, columns, fp8Block, row);
                for (int k = 0; k < columns; k++)
                {
                    double sum = 0;
                    for (int j = 0; j < rank; j++)
                    {
                        sum += (double)b[(n * rank) + j] * a[(j * columns) + k];
                    }

                    row[k] = (float)(row[k] + (scale * sum));
                }
            }

            _merged[name] = new StoredTensor(name, DType.F32, [rows, columns], buffer, "merged");
        }
    }

    public string Description => "merged";

    public IReadOnlyCollection<string> Names => _base.Names;

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor) => _merged.TryGetValue(name, out tensor) || _base.TryGet(name, out tensor);

    public void Dispose() => _buffers.ForEach(b => b.Dispose());

    private void Decode(StoredTensor stored, int row, int columns, (int Rows, int Columns)? fp8Block, float* to)
    {
        var plain = new WeightMatrix { Data = stored.Data, DType = stored.DType, Rows = (int)stored.Shape[0], Columns = columns, RowBytes = (nint)stored.DType.RowBytes(columns) };
        if (stored.DType != DType.F8E4M3)
        {
            WeightDecoder.DecodeRow(plain, row, 0, columns, to);
            return;
        }

        Assert.True(_base.TryGet(stored.Name + "_scale_inv", out StoredTensor? scales));
        int stride = (int)scales.Shape[1];
        for (int k = 0; k < columns; k++)
        {
            to[k] = Fp8.E4M3ToSingle(stored.Data[((nint)row * columns) + k]) * ((float*)scales.Data)[(row / fp8Block!.Value.Rows * stride) + (k / fp8Block.Value.Columns)];
        }
    }
}
