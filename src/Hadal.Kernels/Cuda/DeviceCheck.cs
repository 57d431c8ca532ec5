using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Hadal.Numerics;

namespace Hadal.Kernels.Cuda;

/// <summary>What launchers demand of matrices before they hand their addresses to a kernel.</summary>
internal static class DeviceCheck
{
    /// <summary>Rows begin at multiples of 16 bytes, eight elements can be read at a time, and the type is one of two.</summary>
    public static void Matrix(in DeviceMatrix m, DType first, DType second, [CallerArgumentExpression(nameof(m))] string? name = null)
    {
        if (m.Data == 0 || m.Data % 16 != 0 || m.Stride % 8 != 0 || m.Stride < m.Columns || m.Rows < 0 || m.Columns <= 0 || (m.DType != first && m.DType != second))
        {
            Throw(m, first, second, name);
        }
    }

    public static void Matrix(in DeviceMatrix m, DType only, [CallerArgumentExpression(nameof(m))] string? name = null) => Matrix(m, only, only, name);

    /// <summary>A matrix of bf16 or f32.</summary>
    public static void Floats(in DeviceMatrix m, [CallerArgumentExpression(nameof(m))] string? name = null) => Matrix(m, DType.Bf16, DType.F32, name);

    public static void Shape(in DeviceMatrix m, int rows, int columns, [CallerArgumentExpression(nameof(m))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(m.Rows, rows, name);
        ArgumentOutOfRangeException.ThrowIfNotEqual(m.Columns, columns, name);
    }

    /// <summary>Pages: rows without gaps, of bf16 or e4m3; of f32 where what is written to them is.</summary>
    public static void Pages(in DeviceMatrix pages, int width, DType written, [CallerArgumentExpression(nameof(pages))] string? name = null)
    {
        (DType first, DType second) = written == DType.F32 ? (DType.F32, DType.F32) : (DType.Bf16, DType.F8E4M3);
        Matrix(pages with { Stride = 8, Columns = 8 }, first, second, name);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Columns, width, name);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pages.Stride, width, name);
    }

    /// <summary>An address that a kernel reads.</summary>
    public static void Pointer(nint pointer, [CallerArgumentExpression(nameof(pointer))] string? name = null) => ArgumentOutOfRangeException.ThrowIfZero(pointer, name);

    /// <summary>An address of floats that a kernel reads 16 bytes at a time.</summary>
    public static void Vector(nint pointer, [CallerArgumentExpression(nameof(pointer))] string? name = null)
    {
        ArgumentOutOfRangeException.ThrowIfZero(pointer, name);
        ArgumentOutOfRangeException.ThrowIfNotEqual(pointer % 16, 0, name);
    }

    [DoesNotReturn]
    private static void Throw(in DeviceMatrix m, DType first, DType second, string? name)
        => throw new ArgumentOutOfRangeException(name, m, $"a kernel wants {first}{(second == first ? "" : $" or {second}")}, an address and a row stride in multiples of 16 bytes and 8 elements");
}
