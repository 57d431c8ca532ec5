using System.Runtime.InteropServices;
using Hadal.Cuda;
using Hadal.Kernels.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Mla;

/// <summary>The products of every head with its part of kv_b; <see cref="MlaAbsorbQueryCuda"/> and <see cref="MlaExpandValueCuda"/> name them.</summary>
internal static class MlaHeadsCuda
{
    // Of a block.
    private const int Tokens = 64;
    private const int FewTokens = 16;

    public static void Absorb(CudaKernels kernels, CudaStream stream, DeviceMatrix q, DeviceMatrix kvB, MlaShape shape, DeviceMatrix qLatent)
    {
        ThrowIfInvalid(q, shape.NumHeads * shape.QkHeadDim, kvB, shape, qLatent, shape.NumHeads * shape.CacheWidth);
        if (q.Rows == 0)
        {
            return;
        }

        if (q.DType == DType.F32)
        {
            MlaHeadsF32Cuda.Absorb(kernels, stream, q, kvB, shape, qLatent);
        }
        else if (q.Rows <= FewTokens && shape.QkNopeHeadDim <= 128)
        {
            Launch(kernels, stream, "absorb_few", FewTokens, 64, 2 * (64 + FewTokens) * 128, shape.KvLoraRank, q, kvB, shape, qLatent);
        }
        else
        {
            Launch(kernels, stream, "absorb_64", Tokens, 64, 3 * (64 + Tokens) * 128, shape.KvLoraRank, q, kvB, shape, qLatent);
        }
    }

    public static void Expand(CudaKernels kernels, CudaStream stream, DeviceMatrix oLatent, DeviceMatrix kvB, MlaShape shape, DeviceMatrix o)
    {
        ThrowIfInvalid(oLatent, shape.NumHeads * shape.KvLoraRank, kvB, shape, o, shape.NumHeads * shape.VHeadDim);
        if (oLatent.Rows == 0)
        {
            return;
        }

        if (oLatent.DType == DType.F32)
        {
            MlaHeadsF32Cuda.Expand(kernels, stream, oLatent, kvB, shape, o);
        }
        else if (oLatent.Rows <= FewTokens && shape.KvLoraRank <= 512)
        {
            Launch(kernels, stream, "expand_few", FewTokens, 16, 8 * (16 + FewTokens) * 128, shape.VHeadDim, oLatent, kvB, shape, o);
        }
        else if (oLatent.Rows <= Tokens)
        {
            // Narrow tiles: more blocks read the weights.
            Launch(kernels, stream, "expand_16", Tokens, 16, 3 * (16 + Tokens) * 128, shape.VHeadDim, oLatent, kvB, shape, o);
        }
        else
        {
            Launch(kernels, stream, "expand_64", Tokens, 64, 3 * (64 + Tokens) * 128, shape.VHeadDim, oLatent, kvB, shape, o);
        }
    }

    private static void Launch(
        CudaKernels kernels, CudaStream stream, string name, int tokens, int columns, int shared, int width, DeviceMatrix x, DeviceMatrix kvB, MlaShape shape, DeviceMatrix y)
    {
        CudaFunction function = kernels.Get("MlaHeads", name, shared);
        var grid = new LaunchShape((width + columns - 1) / columns, shape.NumHeads, (x.Rows + tokens - 1) / tokens, 128) { SharedBytes = shared, What = "heads times kv_b" };
        function.Launch(stream, grid, ArgsOf(x, kvB, shape, y));
    }

    internal static Args ArgsOf(DeviceMatrix x, DeviceMatrix kvB, MlaShape shape, DeviceMatrix y) => new()
    {
        X = x.Data,
        KvB = kvB.Data,
        Y = y.Data,
        NumTokens = x.Rows,
        XStride = x.Stride,
        YStride = y.Stride,
        WeightStride = kvB.Stride,
        Rank = shape.KvLoraRank,
        Rope = shape.QkRopeHeadDim,
        Nope = shape.QkNopeHeadDim,
        Value = shape.VHeadDim,
    };

    private static void ThrowIfInvalid(DeviceMatrix x, int xColumns, DeviceMatrix kvB, MlaShape shape, DeviceMatrix y, int yColumns)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(x.Columns, xColumns, nameof(x));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, yColumns, nameof(y));
        ArgumentOutOfRangeException.ThrowIfLessThan(y.Rows, x.Rows, nameof(y));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvB.Rows, shape.NumHeads * (shape.QkNopeHeadDim + shape.VHeadDim), nameof(kvB));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvB.Columns, shape.KvLoraRank, nameof(kvB));
        if (x.DType is not (DType.Bf16 or DType.F32) || y.DType != x.DType || kvB.DType != x.DType)
        {
            throw new ArgumentException($"latent products of {x.DType} with {kvB.DType} to {y.DType}; the card's kernels take Bf16 or F32, the same for all", nameof(x));
        }

        int odd = (shape.KvLoraRank | shape.QkRopeHeadDim | shape.QkNopeHeadDim | shape.VHeadDim | x.Stride | y.Stride | kvB.Stride) % 8;
        if (odd != 0)
        {
            throw new ArgumentException($"{shape} with strides {x.Stride}, {kvB.Stride}, {y.Stride}: widths and strides must be multiples of 8 on the card", nameof(shape));
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Args
    {
        public nint X;
        public nint KvB;
        public nint Y;
        public int NumTokens;
        public int XStride;
        public int YStride;
        public int WeightStride;
        public int Rank;
        public int Rope;
        public int Nope;
        public int Value;
    }
}
