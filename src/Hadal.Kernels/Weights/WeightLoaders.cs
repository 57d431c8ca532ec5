using System.Runtime.CompilerServices;
using Hadal.Kernels.Vectors;

namespace Hadal.Kernels.Weights;

/// <summary>The plain stored types, of every width.</summary>
internal static unsafe class WeightLoaders
{
    public readonly struct F32<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 1024;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.Load((float*)row + column);
    }

    public readonly struct F16<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 512;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.LoadF16((ushort*)row + column);
    }

    public readonly struct Bf16<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 512;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.LoadBf16((ushort*)row + column);
    }

    public readonly struct F8E4M3<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 256;

        public static bool HasGroups
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => TLanes.HasE4M3x4;
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.LoadE4M3(row + column);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static void LoadGroup(byte* row, nint column, float* factors, out TV a, out TV b, out TV c, out TV d)
            => TLanes.LoadE4M3x4(row + column, out a, out b, out c, out d);
    }

    public readonly struct F8E5M2<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 256;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.LoadE5M2(row + column);
    }

    public readonly struct I8<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 256;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.LoadI8((sbyte*)row + column);
    }

    /// <summary>Decoded rows in the worker's scratch.</summary>
    public readonly struct Panel<TLanes, TV> : IWeightLoader<TV>
        where TLanes : struct, ILanes<TV>
        where TV : unmanaged
    {
        public static int StreamedBytesOf256 => 0;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TV Load(byte* row, nint column) => TLanes.Load((float*)row + column);
    }
}
