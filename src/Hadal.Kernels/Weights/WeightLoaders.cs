using System.Runtime.CompilerServices;
using Hadal.Kernels.Simd;

namespace Hadal.Kernels.Weights;

/// <summary>The plain stored types as type arguments, so that a kernel's inner loop is compiled for each.</summary>
internal static unsafe class WeightLoaders
{
    public readonly struct F32 : IWeightLoader
    {
        public static int StreamedBytes => 4;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.Load((float*)row + column);
    }

    public readonly struct F16 : IWeightLoader
    {
        public static int StreamedBytes => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.LoadF16((ushort*)row + column);
    }

    public readonly struct Bf16 : IWeightLoader
    {
        public static int StreamedBytes => 2;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.LoadBf16((ushort*)row + column);
    }

    public readonly struct F8E4M3 : IWeightLoader
    {
        public static int StreamedBytes => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.LoadE4M3(row + column);
    }

    public readonly struct F8E5M2 : IWeightLoader
    {
        public static int StreamedBytes => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.LoadE5M2(row + column);
    }

    public readonly struct I8 : IWeightLoader
    {
        public static int StreamedBytes => 1;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.LoadI8((sbyte*)row + column);
    }

    /// <summary>Decoded rows in the worker's scratch.</summary>
    public readonly struct Panel : IWeightLoader
    {
        public static int StreamedBytes => 0;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load<TV, TSimd>(byte* row, nint column)
            where TV : struct
            where TSimd : struct, ISimd<TV>
            => TSimd.Load((float*)row + column);
    }
}
