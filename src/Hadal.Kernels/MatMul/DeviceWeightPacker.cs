using System.Numerics;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Vectors;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.MatMul;

/// <summary>Lays matrices, stacked by rows, out as a <see cref="DeviceWeight"/>. Its pieces may be filled from several threads.</summary>
public sealed unsafe class DeviceWeightPacker
{
    private const float MaxE4M3 = 448;

    // Columns of 4-bit weights that are rounded to a group of their own where the stored type brings no groups.
    private const int RoundedGroup = 128;

    // Columns whose scales one look at a stored row takes: a super-block of GGUF.
    private const int ScaleColumns = 256;

    private readonly DeviceWeightLayout _layout;
    private readonly WeightMatrix[] _sources;
    private readonly int[] _firstRows;
    private readonly bool _rest;

    /// <param name="layout">How.</param>
    /// <param name="sources">What.</param>
    /// <param name="rest">Of <see cref="DeviceWeightKind.Bf16"/>: what rounding to bf16 left, in bf16 itself. The two together have 16 bits of a weight's mantissa.</param>
    public DeviceWeightPacker(in DeviceWeightLayout layout, WeightMatrix[] sources, bool rest = false)
    {
        _rest = rest;
        _layout = layout;
        _sources = sources;
        _firstRows = new int[sources.Length];
        for (int i = 1; i < sources.Length; i++)
        {
            _firstRows[i] = _firstRows[i - 1] + sources[i - 1].Rows;
        }
    }

    /// <summary>What a stored matrix runs as without conversion.</summary>
    public static DeviceWeightKind KindFor(in WeightMatrix stored) => stored.DType switch
    {
        DType.F8E4M3 when stored.ScaleLayout == ScaleLayout.PerRow => DeviceWeightKind.Fp8Row,
        DType.F8E4M3 when stored is { ScaleLayout: ScaleLayout.Block, ScaleBlockRows: DeviceWeight.BlockSide, ScaleBlockColumns: DeviceWeight.BlockSide } => DeviceWeightKind.Fp8Block,
        DType.I8 when stored.ScaleLayout == ScaleLayout.PerRow => DeviceWeightKind.Int8Row,
        DType.Q8_0 or DType.Q5_0 or DType.Q5_1 or DType.Q5_K or DType.Q6_K => DeviceWeightKind.Int8Group,
        DType.Q4_0 or DType.Q4_1 or DType.Q4_K => DeviceWeightKind.Int4Group,
        _ => DeviceWeightKind.Bf16,
    };

    /// <summary>Sizes of matrices stacked by rows. Groups are as small as the smallest of any source, and have minimums where any source has them.</summary>
    public static DeviceWeightLayout Layout(DeviceWeightKind kind, int rows, int columns, params ReadOnlySpan<WeightMatrix> sources)
    {
        long rowBytes = ((columns * (kind == DeviceWeightKind.Bf16 ? 2L : 1L)) + 15) / 16 * 16;
        switch (kind)
        {
            case DeviceWeightKind.Bf16:
                return new DeviceWeightLayout(kind, rows, columns, rowBytes, 0, 0, rows, rows * rowBytes, 0, 0, 0);
            case DeviceWeightKind.Fp8Row or DeviceWeightKind.Int8Row:
                return new DeviceWeightLayout(kind, rows, columns, rowBytes, 0, 0, rows, rows * rowBytes, rows, 4L * rows, 0);
            case DeviceWeightKind.Fp8Block:
                int blockRows = (rows + DeviceWeight.BlockSide - 1) / DeviceWeight.BlockSide;
                int blockColumns = (columns + DeviceWeight.BlockSide - 1) / DeviceWeight.BlockSide;
                return new DeviceWeightLayout(kind, rows, columns, rowBytes, blockColumns, 0, rows, rows * rowBytes, blockRows, 4L * blockRows * blockColumns, 0);
            case DeviceWeightKind.Int8Group or DeviceWeightKind.Int4Group:
                (int group, bool mins) = Groups(kind, sources);
                // Rows end with a whole block of what one instruction takes; scales with a whole slab.
                rowBytes = (columns + BlockColumns(kind) - 1) / BlockColumns(kind) * 64L;
                int slabs = (int)((rowBytes + 127) / 128);
                long scaleBytes = (long)slabs * rows * SlabGroups(kind, group) * sizeof(ushort);
                return new DeviceWeightLayout(kind, rows, columns, rowBytes, rows, group, rows, rows * rowBytes, slabs, scaleBytes, mins ? scaleBytes : 0);
            default:
                throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown kind");
        }
    }

    // Columns in 64 bytes, the block within which columns are rearranged.
    private static int BlockColumns(DeviceWeightKind kind) => kind == DeviceWeightKind.Int4Group ? 128 : 64;

    private static int SlabGroups(DeviceWeightKind kind, int group) => 2 * BlockColumns(kind) / group;

    private static (int Group, bool Mins) Groups(DeviceWeightKind kind, ReadOnlySpan<WeightMatrix> sources)
    {
        int group = kind == DeviceWeightKind.Int4Group ? RoundedGroup : 32;
        bool mins = false;
        foreach (ref readonly WeightMatrix source in sources)
        {
            if (KindFor(source) == kind)
            {
                group = Math.Min(group, StoredGroup(source.DType));
                mins |= HasMins(source.DType);
            }
        }

        return (group, mins);
    }

    private static int StoredGroup(DType type) => type == DType.Q6_K ? 16 : 32;

    private static bool HasMins(DType type) => type is DType.Q4_1 or DType.Q4_K or DType.Q5_1 or DType.Q5_K;

    // What a code of GgufGroups stands above its weight where no minimum says so.
    private static int ZeroOf(DType type) => type switch { DType.Q8_0 or DType.Q5_0 => 128, DType.Q6_K => 32, DType.Q4_0 => 8, _ => 0 };

    public void FillData(int unit, byte* destination)
    {
        (WeightMatrix source, int row) = At(unit);
        int columns = _layout.Columns;
        if (_layout.Kind is DeviceWeightKind.Int8Group or DeviceWeightKind.Int4Group)
        {
            FillCodes(source, row, destination);
            return;
        }

        int bytes = _layout.Kind == DeviceWeightKind.Bf16 ? columns * 2 : columns;
        new Span<byte>(destination + bytes, (int)_layout.RowBytes - bytes).Clear();
        switch (_layout.Kind)
        {
            case DeviceWeightKind.Bf16 when source.DType == DType.Bf16 && !_rest:
            case DeviceWeightKind.Fp8Block:
            case DeviceWeightKind.Fp8Row when source is { DType: DType.F8E4M3, ScaleLayout: ScaleLayout.PerRow }:
            case DeviceWeightKind.Int8Row when source is { DType: DType.I8, ScaleLayout: ScaleLayout.PerRow }:
                new ReadOnlySpan<byte>(source.Row(row), bytes).CopyTo(new Span<byte>(destination, bytes));
                break;
            case DeviceWeightKind.Bf16:
                float* values = Decode(source, row);
                for (int k = 0; k < columns; k++)
                {
                    ushort rounded = Bf16.FromSingle(values[k]);
                    ((ushort*)destination)[k] = _rest ? Bf16.FromSingle(values[k] - Bf16.ToSingle(rounded)) : rounded;
                }

                break;
            case DeviceWeightKind.Fp8Row:
                float* floats = Decode(source, row);
                float scale = RowScale(floats, MaxE4M3);
                for (int k = 0; k < columns; k++)
                {
                    destination[k] = scale == 0 ? (byte)0 : Fp8.E4M3FromSingle(floats[k] / scale);
                }

                break;
            case DeviceWeightKind.Int8Row:
                Int8QuantizerWork.QuantizeRow(source, Decode(source, row), row, (sbyte*)destination);
                break;
        }
    }

    public void FillScales(int unit, byte* destination)
    {
        if (_layout.Kind is DeviceWeightKind.Int8Group or DeviceWeightKind.Int4Group)
        {
            FillGroups(unit, (ushort*)destination, wantMins: false);
            return;
        }

        float* scales = (float*)destination;
        if (_layout.Kind == DeviceWeightKind.Fp8Block)
        {
            // Units are rows of blocks; each source begins with one.
            (WeightMatrix blocks, int first) = At(unit * DeviceWeight.BlockSide);
            new ReadOnlySpan<float>(blocks.Scales + ((nint)(first / DeviceWeight.BlockSide) * blocks.ScaleStride), _layout.ScaleStride).CopyTo(new Span<float>(scales, _layout.ScaleStride));
            return;
        }

        (WeightMatrix source, int row) = At(unit);
        bool stored = source.ScaleLayout == ScaleLayout.PerRow && source.DType == (_layout.Kind == DeviceWeightKind.Int8Row ? DType.I8 : DType.F8E4M3);
        *scales = stored ? source.Scales[row] : RowScale(Decode(source, row), _layout.Kind == DeviceWeightKind.Int8Row ? 127 : MaxE4M3);
    }

    public void FillMins(int unit, byte* destination) => FillGroups(unit, (ushort*)destination, wantMins: true);

    // A row of codes. 4 bits, in 64 bytes of 128 columns: word 4t + j holds columns 32j + 8t … + 7, even ones in its lower nibbles' order 0 … 3, odd ones in 4 … 7.
    // 8 bits, in 64 bytes of 64 columns: bytes 16t + 8p … + 7 hold columns 32p + 8t … + 7; in groups of 16, bytes 16t + 8p + 4h … + 3 hold 32p + 16h + 4t … + 3.
    private void FillCodes(in WeightMatrix source, int row, byte* destination)
    {
        int columns = _layout.Columns;
        new Span<byte>(destination, (int)_layout.RowBytes).Clear();
        int* codes = stackalloc int[ScaleColumns];
        for (int first = 0; first < columns; first += ScaleColumns)
        {
            int count = Math.Min(ScaleColumns, columns - first);
            ReadCodes(source, row, first, count, codes);
            for (int i = 0; i < count; i++)
            {
                int k = first + i;
                if (_layout.Kind == DeviceWeightKind.Int4Group)
                {
                    (int j, int t, int c) = (k % 128 / 32, k % 32 / 8, k % 8);
                    int nibble = (c / 2) + (c % 2 * 4);
                    destination[(k / 128 * 64) + (16 * t) + (4 * j) + (nibble / 2)] |= (byte)(codes[i] << (nibble % 2 * 4));
                }
                else if (_layout.GroupSize == 16)
                {
                    (int p, int h, int t, int c) = (k % 64 / 32, k % 32 / 16, k % 16 / 4, k % 4);
                    destination[(k / 64 * 64) + (16 * t) + (8 * p) + (4 * h) + c] = (byte)codes[i];
                }
                else
                {
                    (int p, int t, int c) = (k % 64 / 32, k % 32 / 8, k % 8);
                    destination[(k / 64 * 64) + (16 * t) + (8 * p) + c] = (byte)codes[i];
                }
            }
        }
    }

    /// <summary>Codes as the kernels take them: 0 … 15, or int8.</summary>
    private void ReadCodes(in WeightMatrix source, int row, int first, int count, int* codes)
    {
        bool four = _layout.Kind == DeviceWeightKind.Int4Group;
        if (KindFor(source) == _layout.Kind)
        {
            ushort* stored = stackalloc ushort[ScaleColumns];
            ushort* scales = stackalloc ushort[ScaleColumns / 16];
            ushort* minima = stackalloc ushort[ScaleColumns / 16];
            GgufGroups.Read(source.DType, source.Row(row) + (nint)source.DType.RowBytes(first), count, stored, scales, minima);
            int zero = four ? 0 : ZeroOf(source.DType);
            for (int i = 0; i < count; i++)
            {
                codes[i] = stored[i] - zero;
            }

            return;
        }

        float* values = stackalloc float[ScaleColumns];
        WeightDecoder.DecodeRow(source, row, first, count, values);
        int group = _layout.GroupSize;
        for (int g = 0; g < count; g += group)
        {
            int n = Math.Min(group, count - g);
            (Half scale, Half min) = RoundedScale(values + g, n);
            float inverse = scale == Half.Zero ? 0 : 1 / (float)scale;
            for (int i = g; i < g + n; i++)
            {
                codes[i] = !four ? (int)Math.Clamp(MathF.Round(values[i] * inverse), -128, 127)
                    : (int)Math.Clamp(MathF.Round((values[i] - (_layout.MinBytes > 0 ? (float)min : -8 * (float)scale)) * inverse), 0, 15);
            }
        }
    }

    // Where groups are made here: 16 levels from -8 to 7, the weight furthest from zero on -8; or from the least to the largest where the layout has minimums.
    private (Half Scale, Half Min) RoundedScale(float* values, int count)
    {
        float least = values[0];
        float most = values[0];
        for (int i = 1; i < count; i++)
        {
            least = MathF.Min(least, values[i]);
            most = MathF.Max(most, values[i]);
        }

        float furthest = -least > most ? least : most;
        (float scale, float min) = _layout.Kind == DeviceWeightKind.Int8Group ? (MathF.Abs(furthest) / 127, 0)
            : _layout.MinBytes > 0 ? ((most - least) / 15, least)
            : (furthest / -8, 0);
        var rounded = (Half)scale;
        if (!Half.IsFinite(rounded) || !Half.IsFinite((Half)min))
        {
            throw new HadalException($"a group of weights spans {least} … {most}; expected finite numbers that a 16-bit scale can hold. The checkpoint is damaged, or load it without --weight-dtype.");
        }

        return (rounded, (Half)min);
    }

    // f16 [rows, groups of a slab]; zeros behind the last column.
    private void FillGroups(int slab, ushort* destination, bool wantMins)
    {
        int slabColumns = 2 * BlockColumns(_layout.Kind);
        int groups = slabColumns / _layout.GroupSize;
        // Stored rows are looked at in whole super-blocks.
        int first = slab * slabColumns / ScaleColumns * ScaleColumns;
        int skip = (slab * slabColumns) - first;
        int count = Math.Min(ScaleColumns, _layout.Columns - first);
        ushort* scales = stackalloc ushort[ScaleColumns / 16];
        ushort* minima = stackalloc ushort[ScaleColumns / 16];
        ushort* stored = stackalloc ushort[ScaleColumns];
        float* values = stackalloc float[ScaleColumns];
        foreach (WeightMatrix source in _sources)
        {
            bool native = KindFor(source) == _layout.Kind;
            bool hasMins = native && HasMins(source.DType);
            for (int row = 0; row < source.Rows; row++, destination += groups)
            {
                if (native)
                {
                    GgufGroups.Read(source.DType, source.Row(row) + (nint)source.DType.RowBytes(first), count, stored, scales, minima);
                }
                else
                {
                    WeightDecoder.DecodeRow(source, row, first, count, values);
                }

                for (int g = 0; g < groups; g++)
                {
                    int k = skip + (g * _layout.GroupSize);
                    if (k >= count)
                    {
                        destination[g] = 0;
                    }
                    else if (!native)
                    {
                        (Half scale, Half min) = RoundedScale(values + k, Math.Min(_layout.GroupSize, count - k));
                        destination[g] = BitConverter.HalfToUInt16Bits(wantMins ? min : scale);
                    }
                    else
                    {
                        int s = k / StoredGroup(source.DType);
                        // GgufGroups' minimum is taken away, the kernels' is added; a 4-bit zero point among minimums becomes one.
                        destination[g] = !wantMins ? scales[s]
                            : hasMins ? (ushort)(minima[s] ^ 0x8000)
                            : _layout.Kind == DeviceWeightKind.Int4Group ? BitConverter.HalfToUInt16Bits((Half)(-8 * (float)BitConverter.UInt16BitsToHalf(scales[s])))
                            : (ushort)0;
                    }
                }
            }
        }
    }

    private (WeightMatrix Source, int Row) At(int row)
    {
        int i = Array.BinarySearch(_firstRows, row);
        i = i >= 0 ? i : ~i - 1;
        return (_sources[i], row - _firstRows[i]);
    }

    private float* Decode(in WeightMatrix source, int row)
    {
        float* values = Scratch.Worker(_layout.Columns);
        WeightDecoder.DecodeRow(source, row, 0, _layout.Columns, values);
        return values;
    }

    private float RowScale(float* values, float most)
    {
        // Max hands a NaN on.
        var max = Vector<float>.Zero;
        int width = Vector<float>.Count;
        int k = 0;
        for (; k <= _layout.Columns - width; k += width)
        {
            max = Vector.Max(max, Vector.Abs(Vector.Load(values + k)));
        }

        float largest = 0;
        for (int i = 0; i < width; i++)
        {
            largest = MathF.Max(largest, max[i]);
        }

        for (; k < _layout.Columns; k++)
        {
            largest = MathF.Max(largest, MathF.Abs(values[k]));
        }

        return float.IsFinite(largest) ? largest / most : throw new HadalException($"a row of weights holds {largest}; expected finite numbers. The checkpoint is damaged, or load it without --weight-dtype.");
    }
}
