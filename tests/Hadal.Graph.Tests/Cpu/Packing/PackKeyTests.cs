using System.IO.Hashing;
using Hadal.Graph.Cpu.Packing;
using Hadal.Jit;
using Hadal.Kernels.Mla;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Graph.Tests.Cpu.Packing;

/// <summary>A key differs wherever the packed bytes may, and nowhere else.</summary>
public sealed class PackKeyTests : IDisposable
{
    private readonly WorkerPool _pool = new(2);
    private readonly NativeArena _arena = new();

    [Fact]
    public void Key_OfEqualBytesElsewhere_IsTheSame()
    {
        // More than one chunk, so that workers share the hashing.
        using var one = new RandomWeight(DType.I8, 700, 1024);
        using var other = new RandomWeight(DType.I8, 700, 1024);
        using var crew = new WorkerPool(5);
        Assert.Equal(Key(one.Matrix), PackKey.Of(crew, other.Matrix, WeightPacker.Reserve(other.Matrix, other.Kind, _arena)));
    }

    [Fact]
    public void Key_AnyByteOrScaleChanged_IsAnother()
    {
        using var weight = new RandomWeight(DType.I8, 700, 1024);
        var keys = new HashSet<PackKey> { Key(weight.Matrix) };
        int[] places = [0, 1, RegionChunks.MaxBytes - 1, RegionChunks.MaxBytes, weight.Bytes.Length - 1];
        foreach (int at in places)
        {
            weight.Bytes[at] ^= 1;
            Assert.True(keys.Add(Key(weight.Matrix)), $"byte {at}");
            weight.Bytes[at] ^= 1;
        }

        foreach (int at in new[] { 0, 699 })
        {
            float before = weight.Scales[at];
            weight.Scales[at] = MathF.BitIncrement(before);
            Assert.True(keys.Add(Key(weight.Matrix)), $"scale {at}");
            weight.Scales[at] = before;
        }

        Assert.False(keys.Add(Key(weight.Matrix)), "put back, it is the first again");
    }

    [Fact]
    public void Key_ChunksExchanged_IsAnother()
    {
        using var weight = new RandomWeight(DType.Bf16, 256, 1024);
        PackKey before = Key(weight.Matrix);
        byte[] first = weight.Bytes[..RegionChunks.MaxBytes].ToArray();
        weight.Bytes.Slice(RegionChunks.MaxBytes, RegionChunks.MaxBytes).CopyTo(weight.Bytes);
        first.CopyTo(weight.Bytes[RegionChunks.MaxBytes..]);
        Assert.NotEqual(before, Key(weight.Matrix));
    }

    [Fact]
    public void Key_SameBytesOfAnotherShapeTypeOrKind_IsAnother()
    {
        using var bf16 = new RandomWeight(DType.Bf16, 64, 512);
        using var fp8 = new RandomWeight(DType.F8E4M3, 256, 256);
        using var q4 = new RandomWeight(DType.Q4_K, 256, 256);
        WeightMatrix m = bf16.Matrix;
        WeightMatrix[] variants =
        [
            m,
            With(m, 128, 256, DType.Bf16),
            With(m, 32, 1024, DType.Bf16),
            q4.Matrix,
            With(q4.Matrix, 256, 256, DType.Q4_0),
            fp8.Matrix,
            Blocks(fp8.Matrix, 128),
            Blocks(fp8.Matrix, 96),
        ];
        var keys = new HashSet<PackKey>();
        for (int i = 0; i < variants.Length; i++)
        {
            Assert.True(keys.Add(Key(variants[i])), $"variant {i}");
        }

        // Of one shape and length as either type.
        foreach (WeightMatrix rounded in new[] { m, With(m, 64, 512, DType.F16), q4.Matrix, With(q4.Matrix, 256, 256, DType.Q4_0) })
        {
            Assert.True(keys.Add(PackKey.Of(_pool, rounded, WeightPacker.Reserve(rounded, PackedKind.Int8, _arena))), $"{rounded.DType} rounded to int8");
        }

    }

    [Fact]
    public void Key_OfLatentHeads_DependsOnTheirWidths()
    {
        using var kvB = new RandomWeight(DType.Bf16, 4 * 48, 64);
        var keys = new HashSet<PackKey> { Key(kvB.Matrix) };
        foreach (MlaShape shape in new MlaShape[] { new(4, 64, 16, 32, 16), new(4, 64, 16, 16, 32), new(2, 64, 16, 64, 32), new(6, 64, 16, 16, 16) })
        {
            PackedLatentHeads heads = LatentHeadPacker.Reserve(kvB.Matrix, kvB.Kind, shape, _arena);
            Assert.True(keys.Add(PackKey.Of(_pool, kvB.Matrix, shape, heads)), $"{shape}");
        }
    }

    /// <summary>
    /// Files of an older program must not be taken for what this one packs. If this fails because packing was meant to change, raise PackFile.Version and
    /// put the new hashes here.
    /// </summary>
    [Fact]
    public void PackedBytes_OfEveryKind_AreThoseOfTheVersion()
    {
        Assert.Equal(1, PackFile.Version);
        string[] expected =
        [
            "Bf16 Bf16 032752e7f42b8497c50150d9413ae3a2",
            "I8 Int8 8f68537047432ff9ffe67c4da13977eb",
            "F8E4M3 Fp8Block 7b41f6b5614f3e9e6f2dab8f7696e041",
            "Q8_0 Int8Group32 b2b5ca2e7aef961e5fc0e9354fd12fc0",
            "Q5_0 Int8Group32 f94cf70ffa123cb0d89a88d529cf5793",
            "Q4_0 Int4Group32 871e13e780b3482a7971dbc78c2eb799",
            "Q4_1 Int4Group32Min c854ac6291788d5b4d018a9d0eae09bb",
            "Q4_K Int4Group32Min af6998392d7ef09490f9ad75b11ce16d",
            "Q5_1 Int8Group32Min 42e306428e9309bddd31bf3d716f139e",
            "Q5_K Int8Group32Min e13b9e4f7df52e5b5363c1cdaf8834a8",
            "Q6_K Int8Group16 94ad7e2120b25a7f9a7df9582b9d98f1",
            "Bf16 Int8 4a6d6a903cc2ed095d57359910c3eca6",
            "latent heads 91fd0d53ee34ece1e42b035861176508",
        ];
        var found = new List<string>();
        foreach (DType dtype in PackCacheTests.StoredTypes)
        {
            using var weight = new RandomWeight(dtype, 77, 768);
            found.Add($"{dtype} {weight.Kind} {Hash(WeightPacker.Pack(_pool, weight.Matrix, weight.Kind, _arena).Storage)}");
        }

        using var rounded = new RandomWeight(DType.Bf16, 77, 768);
        found.Add($"{DType.Bf16} {PackedKind.Int8} {Hash(WeightPacker.Pack(_pool, rounded.Matrix, PackedKind.Int8, _arena).Storage)}");
        using var kvB = new RandomWeight(DType.Bf16, 4 * 48, 64);
        found.Add($"latent heads {Hash(LatentHeadPacker.Pack(_pool, kvB.Matrix, kvB.Kind, new MlaShape(4, 64, 16, 32, 16), _arena).Storage())}");
        Assert.Equal(string.Join('\n', expected), string.Join('\n', found));
    }

    public void Dispose()
    {
        _pool.Dispose();
        _arena.Dispose();
    }

    private static string Hash(params ReadOnlySpan<NativeRegion> regions) => XxHash128.HashToUInt128(RandomWeight.Copy(regions)).ToString("x32", null);

    private static unsafe WeightMatrix With(WeightMatrix m, int rows, int columns, DType dtype)
        => new() { Data = m.Data, DType = dtype, Rows = rows, Columns = columns, RowBytes = (nint)dtype.RowBytes(columns) };

    /// <summary>The first 130 rows: two rows of scales, whether 128 or 96 rows have one.</summary>
    private static unsafe WeightMatrix Blocks(WeightMatrix m, int rows) => new()
    {
        Data = m.Data,
        DType = m.DType,
        Rows = 130,
        Columns = m.Columns,
        RowBytes = m.RowBytes,
        Scales = m.Scales,
        ScaleLayout = m.ScaleLayout,
        ScaleBlockRows = rows,
        ScaleBlockColumns = 128,
        ScaleStride = m.ScaleStride,
    };

    private PackKey Key(WeightMatrix m) => PackKey.Of(_pool, m, WeightPacker.Reserve(m, WeightPacker.KindFor(m)!.Value, _arena));
}
