using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Tests.Cpu.Packing;

/// <summary>A stored weight of seeded bytes that every kind can be made of.</summary>
internal sealed unsafe class RandomWeight : IDisposable
{
    private readonly NativeBuffer _data;
    private readonly NativeBuffer? _scales;

    public RandomWeight(DType dtype, int rows, int columns, int seed = 1)
    {
        var random = new Random(seed);
        _data = new NativeBuffer((nuint)(rows * dtype.RowBytes(columns)));
        random.NextBytes(_data.Span<byte>());
        if (dtype == DType.Bf16)
        {
            // Finite: rounding to int8 refuses anything else.
            foreach (ref ushort bits in _data.Span<ushort>())
            {
                bits = (ushort)((bits & 0x80FF) | 0x3F00);
            }
        }

        for (int at = 0; dtype.IsBlock && at < (int)_data.ByteLength; at += dtype.BlockBytes)
        {
            // The upper bytes of what are f16 scales and minima in some types: no infinities, of which rounding to int8 would say the same.
            _data.Pointer[at + 1] &= 0x3F;
            _data.Pointer[at + 3] &= 0x3F;
            _data.Pointer[at + dtype.BlockBytes - 1] &= 0x3F;
        }

        ScaleLayout layout = dtype switch { DType.I8 => ScaleLayout.PerRow, DType.F8E4M3 => ScaleLayout.Block, _ => ScaleLayout.None };
        int stride = layout == ScaleLayout.Block ? (columns + 127) / 128 : 0;
        int scales = layout switch { ScaleLayout.PerRow => rows, ScaleLayout.Block => (rows + 127) / 128 * stride, _ => 0 };
        _scales = scales == 0 ? null : NativeBuffer.Of<float>(scales);
        for (int i = 0; i < scales; i++)
        {
            _scales!.As<float>()[i] = 0.5f + random.NextSingle();
        }

        Matrix = new WeightMatrix
        {
            Data = _data.Pointer,
            DType = dtype,
            Rows = rows,
            Columns = columns,
            RowBytes = (nint)dtype.RowBytes(columns),
            Scales = _scales is null ? null : _scales.As<float>(),
            ScaleLayout = layout,
            ScaleBlockRows = layout == ScaleLayout.Block ? 128 : 0,
            ScaleBlockColumns = layout == ScaleLayout.Block ? 128 : 0,
            ScaleStride = stride,
        };
    }

    public WeightMatrix Matrix { get; }

    public Span<byte> Bytes => _data.Span<byte>();

    public Span<float> Scales => _scales!.Span<float>();

    public PackedKind Kind => WeightPacker.KindFor(Matrix)!.Value;

    public static byte[] Copy(params ReadOnlySpan<NativeRegion> regions)
    {
        var all = new List<byte>();
        foreach (NativeRegion region in regions)
        {
            all.AddRange(region.Slice(0, checked((int)region.ByteLength)));
        }

        return [.. all];
    }

    public void Dispose()
    {
        _data.Dispose();
        _scales?.Dispose();
    }
}
