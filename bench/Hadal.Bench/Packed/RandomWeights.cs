using Hadal.Jit;
using Hadal.Kernels.Packed;
using Hadal.Kernels.Weights;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Bench.Packed;

/// <summary>Packed matrices of random numbers, side by side as a model's.</summary>
internal static unsafe class RandomWeights
{
    public static PackedMatrix Pack(WorkerPool pool, NativeArena arena, PackedKind kind, int rows, int columns)
    {
        DType dtype = kind switch
        {
            PackedKind.Bf16 => DType.Bf16,
            PackedKind.Int8 => DType.I8,
            PackedKind.Int8Group32 => DType.Q8_0,
            PackedKind.Int4Group32 => DType.Q4_0,
            PackedKind.Int4Group32Min => DType.Q4_1,
            PackedKind.Int8Group32Min => DType.Q5_1,
            PackedKind.Int8Group16 => DType.Q6_K,
            PackedKind.Fp8Block => DType.F8E4M3,
            _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "unknown kind"),
        };
        nint rowBytes = (nint)dtype.RowBytes(columns);
        using var data = new NativeBuffer((nuint)(rows * rowBytes));
        using NativeBuffer scales = NativeBuffer.Of<float>((nint)rows * ((columns + 127) / 128));
        float deviation = 1 / MathF.Sqrt(columns);
        var random = new Random(1);
        scales.Span<float>().Fill(deviation / 64);
        Span<byte> bytes = data.Span<byte>();
        if (dtype.IsBlock)
        {
            SyntheticBlocks.Fill(dtype, bytes, deviation, random);
        }
        else
        {
            random.NextBytes(bytes);
        }

        if (dtype == DType.Bf16)
        {
            // Exponents of numbers around the deviation.
            ushort exponent = (ushort)(Bf16.FromSingle(deviation) & 0x7F80);
            foreach (ref ushort v in data.Span<ushort>())
            {
                v = (ushort)((v & 0x807F) | exponent);
            }
        }
        else if (dtype == DType.F8E4M3)
        {
            foreach (ref byte v in bytes)
            {
                v = (v & 0x7F) == 0x7F ? (byte)0 : v;
            }
        }

        var matrix = new WeightMatrix
        {
            Data = data.Pointer,
            DType = dtype,
            Rows = rows,
            Columns = columns,
            RowBytes = rowBytes,
            Scales = dtype is DType.I8 or DType.F8E4M3 ? scales.As<float>() : null,
            ScaleLayout = dtype == DType.I8 ? ScaleLayout.PerRow : dtype == DType.F8E4M3 ? ScaleLayout.Block : ScaleLayout.None,
            ScaleBlockRows = 128,
            ScaleBlockColumns = 128,
            ScaleStride = (columns + 127) / 128,
        };
        return WeightPacker.Pack(pool, matrix, kind, arena);
    }

    /// <summary>What a kind multiplies with.</summary>
    public static MultiplyAdd Instruction(PackedKind kind) => PackedFormat.Of(kind).IsInteger ? MultiplyAdd.Int8 : MultiplyAdd.Bf16;

    /// <exception cref="NotSupportedException">This machine has no instructions for it.</exception>
    public static void Require(PackedKernels kernels, PackedKind kind)
    {
        if (!kernels.Supports(kind))
        {
            throw new NotSupportedException($"this machine has no instructions for {kind}");
        }
    }
}
