using System.IO.Hashing;
using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu.Packing;

/// <summary>What a packed weight is kept under: a hash of everything its bytes depend on.</summary>
/// <remarks>
/// The instruction set is not among that: packing rounds alike on all of them (decoders are bit-equal to their reference, Int8Quantizer divides and rounds
/// element by element). Nor are names and files: equal weights of two checkpoints are one entry.
/// </remarks>
internal readonly record struct PackKey(UInt128 Value)
{
    public static PackKey Of(WorkerPool pool, in WeightMatrix source, PackedMatrix target) => Of(pool, "matrix", source, [target], []);

    public static PackKey Of(WorkerPool pool, in WeightMatrix kvB, MlaShape shape, PackedLatentHeads heads)
        => Of(pool, "latent heads", kvB, [heads.KeysTransposed[0], heads.Values[0]], [shape.NumHeads, shape.KvLoraRank, shape.QkRopeHeadDim, shape.QkNopeHeadDim, shape.VHeadDim]);

    public override string ToString() => Value.ToString("x32", null);

    private static unsafe PackKey Of(WorkerPool pool, string what, in WeightMatrix source, ReadOnlySpan<PackedMatrix> targets, ReadOnlySpan<int> shape)
    {
        using var buffer = new MemoryStream();
        using var writer = new BinaryWriter(buffer);
        writer.Write("Hadal packed weights");
        writer.Write(PackFile.Version);
        writer.Write(what);
        foreach (int width in shape)
        {
            writer.Write(width);
        }

        foreach (PackedMatrix target in targets)
        {
            PackedFormat format = target.Format;
            writer.Write(format.Kind.ToString());
            writer.Write(PackedFormat.LineBytes);
            writer.Write(PackedFormat.PanelRows);
            writer.Write(PackedFormat.MaxPanels);
            writer.Write(PackedFormat.PadK);
            writer.Write(format.LineK);
            writer.Write(format.GroupK);
            writer.Write(format.HasGroupScale);
            writer.Write(format.HasGroupMin);
            writer.Write(format.ZeroPoint);
            writer.Write(target.Rows);
            writer.Write(target.Columns);
            writer.Write(target.Storage.ByteLength);
        }

        writer.Write(source.DType.ToString());
        writer.Write(source.Rows);
        writer.Write(source.Columns);
        writer.Write((long)source.RowBytes);
        writer.Write(source.ScaleLayout.ToString());
        writer.Write(source.ScaleBlockRows);
        writer.Write(source.ScaleBlockColumns);
        writer.Write(source.ScaleStride);
        Write(writer, new RegionChunks(new NativeRegion(source.Data, source.ByteLength)).Hash(pool));
        Write(writer, new RegionChunks(new NativeRegion((byte*)source.Scales, CpuWeights.ByteLengthOf(source) - source.ByteLength)).Hash(pool));
        writer.Flush();
        return new PackKey(XxHash128.HashToUInt128(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)));
    }

    private static void Write(BinaryWriter writer, UInt128 hash)
    {
        writer.Write((ulong)(hash >> 64));
        writer.Write((ulong)hash);
    }
}
