using System.Runtime.CompilerServices;
using Hadal.Kernels.Vectors;
using Hadal.Numerics;

namespace Hadal.Kernels.Paging;

/// <summary>Writes float32 columns into pages, rounded to their type.</summary>
internal static unsafe class PageWriter<TLanes, TV>
    where TLanes : struct, ILanes<TV>
    where TV : unmanaged
{
    /// <param name="element">Index of the first element in the pages.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Write(float* from, int count, KvPages pages, nint element)
    {
        if (pages.DType != DType.Bf16)
        {
            new ReadOnlySpan<float>(from, count).CopyTo(new Span<float>((float*)pages.Data + element, count));
            return;
        }

        ushort* to = (ushort*)pages.Data + element;
        int i = 0;
        for (; i + TLanes.Count <= count; i += TLanes.Count)
        {
            TLanes.StoreBf16(to + i, TLanes.Load(from + i));
        }

        for (; i < count; i++)
        {
            to[i] = Bf16.FromSingle(from[i]);
        }
    }
}
