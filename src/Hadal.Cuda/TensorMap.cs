using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>
/// What the copy engine of Hopper needs to know of a matrix (CUtensorMap): 128 opaque bytes, passed to kernels by value as the first members of their struct,
/// where the kernel's side aligns them to 64.
/// </summary>
[StructLayout(LayoutKind.Sequential, Size = 128)]
public unsafe struct TensorMap
{
    private fixed ulong _words[16];

    /// <summary>A row-major matrix; elements outside it are read as zeros and not written.</summary>
    /// <param name="c">The context; the device must have compute capability 9.0 or more.</param>
    /// <param name="data">Aligned to 16 bytes.</param>
    /// <param name="type">The elements.</param>
    /// <param name="rows">Rows there are.</param>
    /// <param name="columns">Columns there are.</param>
    /// <param name="rowBytes">From row to row, a multiple of 16.</param>
    /// <param name="boxRows">Rows of one copy, at most 256.</param>
    /// <param name="boxColumns">Columns of one copy, at most 256 and at most the swizzle's bytes.</param>
    /// <param name="swizzle">The layout in shared memory.</param>
    public static TensorMap Tiled2D(CudaContext c, nint data, TensorMapType type, long rows, long columns, long rowBytes, int boxRows, int boxColumns, TensorMapSwizzle swizzle)
    {
        ulong* sizes = stackalloc ulong[] { (ulong)columns, (ulong)rows };
        ulong* strides = stackalloc ulong[] { (ulong)rowBytes };
        uint* box = stackalloc uint[] { (uint)boxColumns, (uint)boxRows };
        return Encode(c, data, type, 2, sizes, strides, box, swizzle);
    }

    /// <summary>As <see cref="Tiled2D"/>, of matrices that lie <paramref name="planeBytes"/> apart.</summary>
    public static TensorMap Tiled3D(
        CudaContext c, nint data, TensorMapType type, long planes, long rows, long columns, long planeBytes, long rowBytes, int boxPlanes, int boxRows, int boxColumns, TensorMapSwizzle swizzle)
    {
        ulong* sizes = stackalloc ulong[] { (ulong)columns, (ulong)rows, (ulong)planes };
        ulong* strides = stackalloc ulong[] { (ulong)rowBytes, (ulong)planeBytes };
        uint* box = stackalloc uint[] { (uint)boxColumns, (uint)boxRows, (uint)boxPlanes };
        return Encode(c, data, type, 3, sizes, strides, box, swizzle);
    }

    private static TensorMap Encode(CudaContext c, nint data, TensorMapType type, uint rank, ulong* sizes, ulong* strides, uint* box, TensorMapSwizzle swizzle)
    {
        ArgumentNullException.ThrowIfNull(c);
        c.Enter();
        uint* steps = stackalloc uint[] { 1, 1, 1 };
        // The driver asks for 64-byte alignment.
        byte* room = stackalloc byte[sizeof(TensorMap) + 63];
        var map = (TensorMap*)(((nuint)room + 63) & ~(nuint)63);
        CudaResult result = DriverApi.cuTensorMapEncodeTiled(map, (int)type, rank, data, sizes, strides, box, steps, interleave: 0, (int)swizzle, l2Promotion: 3, fill: 0);
        if (result != CudaResult.Success)
        {
            string dims = rank == 2 ? $"{sizes[1]}x{sizes[0]}, rows {strides[0]} bytes apart, box {box[1]}x{box[0]}"
                : $"{sizes[2]}x{sizes[1]}x{sizes[0]}, rows {strides[0]} and planes {strides[1]} bytes apart, box {box[2]}x{box[1]}x{box[0]}";
            throw c.Failed(result, "cuTensorMapEncodeTiled", $"{type} {dims}, swizzle {swizzle}, data at 0x{data:x}");
        }

        return *map;
    }
}
