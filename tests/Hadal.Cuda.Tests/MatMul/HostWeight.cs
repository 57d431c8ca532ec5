using Hadal.Kernels.MatMul;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Cuda.Tests.MatMul;

/// <summary>Weights packed for a card, in this process's memory, and what they say by the words of <see cref="DeviceWeight"/>.</summary>
internal sealed unsafe class HostWeight
{
    private readonly DeviceWeightLayout _layout;

    public HostWeight(DeviceWeightKind kind, params WeightMatrix[] sources)
        : this(kind, rest: false, sources)
    {
    }

    public HostWeight(DeviceWeightKind kind, bool rest, params WeightMatrix[] sources)
    {
        _layout = DeviceWeightPacker.Layout(kind, sources.Sum(s => s.Rows), sources[0].Columns, sources);
        var packer = new DeviceWeightPacker(_layout, sources, rest);
        Data = Fill(_layout.Units, _layout.DataBytes, packer.FillData);
        Scales = Fill(_layout.ScaleUnits, _layout.ScaleBytes, packer.FillScales);
        Mins = _layout.MinBytes == 0 ? [] : Fill(_layout.ScaleUnits, _layout.MinBytes, packer.FillMins);
    }

    private delegate void FillUnit(int unit, byte* destination);

    public byte[] Data { get; }

    public byte[] Scales { get; }

    public byte[] Mins { get; }

    public DeviceWeightLayout Layout => _layout;

    public int Rows => _layout.Rows;

    public int Columns => _layout.Columns;

    public double[] Decode()
    {
        double[] all = new double[Rows * Columns];
        for (int n = 0; n < Rows; n++)
        {
            for (int k = 0; k < Columns; k++)
            {
                all[(n * Columns) + k] = At(n, k);
            }
        }

        return all;
    }

    private double At(int n, int k)
    {
        ReadOnlySpan<byte> row = Data.AsSpan(checked((int)(n * _layout.RowBytes)), (int)_layout.RowBytes);
        switch (_layout.Kind)
        {
            case DeviceWeightKind.Bf16:
                return Bf16.ToSingle(BitConverter.ToUInt16(row[(2 * k)..]));
            case DeviceWeightKind.Fp8Row:
                return (double)Fp8.E4M3ToSingle(row[k]) * BitConverter.ToSingle(Scales, 4 * n);
            case DeviceWeightKind.Fp8Block:
                return (double)Fp8.E4M3ToSingle(row[k]) * BitConverter.ToSingle(Scales, 4 * ((n / 128 * _layout.ScaleStride) + (k / 128)));
            case DeviceWeightKind.Int8Row:
                return (double)(sbyte)row[k] * BitConverter.ToSingle(Scales, 4 * n);
        }

        bool four = _layout.Kind == DeviceWeightKind.Int4Group;
        int block = four ? 128 : 64;
        int r = k % block;
        ReadOnlySpan<byte> bytes = row[(k / block * 64)..];
        int code = four ? (bytes[(16 * (r / 8 % 4)) + (4 * (r / 32)) + (r % 2 * 2) + (r % 8 / 4)] >> (r % 4 / 2 * 4)) & 15
            : _layout.GroupSize == 32 ? (sbyte)bytes[(16 * (r / 8 % 4)) + (8 * (r / 32)) + (r % 8)]
            : (sbyte)bytes[(16 * (r / 4 % 4)) + (8 * (r / 32)) + (4 * (r / 16 % 2)) + (r % 4)];
        int groups = 2 * block / _layout.GroupSize;
        int at = 2 * ((((k / (2 * block) * _layout.ScaleStride) + n) * groups) + (k % (2 * block) / _layout.GroupSize));
        double scale = (double)BitConverter.ToHalf(Scales, at);
        return (scale * code) + (Mins.Length > 0 ? (double)BitConverter.ToHalf(Mins, at) : four ? -8 * scale : 0);
    }

    private static byte[] Fill(int units, long bytes, FillUnit fill)
    {
        byte[] all = new byte[bytes];
        // Poisoned: the packer writes every byte.
        Array.Fill(all, (byte)0xFF);
        fixed (byte* p = all)
        {
            for (int i = 0; i < units; i++)
            {
                fill(i, p + (i * (bytes / units)));
            }
        }

        return all;
    }
}
