using Hadal.Formats.Gguf;
using Hadal.Formats.Safetensors;
using Hadal.Formats.Tests.Checkpoints;
using Hadal.Numerics;
using Hadal.TestKit.Gguf;

namespace Hadal.Formats.Tests.Gguf;

public sealed unsafe class BlockDequantizerTests
{
    public static TheoryData<DType> BlockTypes => [DType.Q8_0, DType.Q4_0, DType.Q4_1, DType.Q5_0, DType.Q5_1, DType.Q4_K, DType.Q5_K, DType.Q6_K];

    /// <summary>Blocks that ggml quantised, and blocks of random bits, with the values that ggml gives for them (goldens/gguf).</summary>
    [Theory]
    [MemberData(nameof(BlockTypes))]
    public void ToSingle_BlocksOfGgml_AreItsValues(DType type)
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path.Combine(TestFiles.Root, "tests", "goldens", "gguf", "blocks.safetensors"));
        foreach (string kind in (string[])["quantized", "random"])
        {
            Assert.True(file.TryGet($"{type}.{kind}", out StoredTensor? blocks));
            Assert.True(file.TryGet($"{type}.{kind}.values", out StoredTensor? values));
            var expected = new ReadOnlySpan<float>(values.Data, (int)values.NumElements);
            float[] actual = new float[expected.Length];
            BlockDequantizer.ToSingle(type, blocks.Data, actual);
            for (int i = 0; i < actual.Length; i++)
            {
                // One rounding of the last sum may differ where ggml's compiler fused multiply and add.
                Assert.True(MathF.Abs(actual[i] - expected[i]) <= 1e-6f * MathF.Max(1, MathF.Abs(expected[i])), $"{type}.{kind}[{i}]: {actual[i]}, expected {expected[i]}");
            }
        }
    }

    /// <summary>The kit's quantiser is right if what it writes comes back within half a step.</summary>
    [Theory]
    [MemberData(nameof(BlockTypes))]
    public void ToSingle_ReferenceQuantizer_ComesBackWithinAStep(DType type)
    {
        var random = new Random(11);
        float[] x = new float[2048];
        for (int i = 0; i < x.Length; i++)
        {
            x[i] = (random.NextSingle() - 0.4f) * (1 + (i / 256));
        }

        x.AsSpan(512, 256).Clear();
        byte[] blocks = ReferenceQuantizer.Quantize(type, x);
        Assert.Equal(type.RowBytes(x.Length), blocks.Length);
        float[] y = new float[x.Length];
        fixed (byte* p = blocks)
        {
            BlockDequantizer.ToSingle(type, p, y);
        }

        // Steps per range of a block: the scales of K types are themselves rounded, which adds to it.
        int steps = type switch
        {
            DType.Q8_0 => 254,
            DType.Q6_K => 50,
            DType.Q5_0 or DType.Q5_1 or DType.Q5_K => 26,
            _ => 12,
        };
        for (int i = 0; i < x.Length; i++)
        {
            Assert.True(MathF.Abs(x[i] - y[i]) <= 1.3f * (1 + (i / 256)) / steps, $"{type}[{i}]: {x[i]} became {y[i]}");
        }
    }

    [Fact]
    public void ToSingle_Misuse_Throws()
    {
        byte b = 0;
        byte* p = &b;
        Assert.Throws<ArgumentException>(() => BlockDequantizer.ToSingle(DType.Q8_0, p, new float[31]));
        Assert.Throws<ArgumentOutOfRangeException>(() => BlockDequantizer.ToSingle(DType.I32, p, new float[1]));
    }
}
