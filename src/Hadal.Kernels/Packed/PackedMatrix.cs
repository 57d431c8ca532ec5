using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>A weight matrix [N, K] in the order its kernel reads it. Owns its memory.</summary>
public sealed unsafe class PackedMatrix : IDisposable
{
    private readonly NativeBuffer _data;
    private readonly NativeBuffer? _rowScales;
    private readonly NativeBuffer? _blockScales;

    internal PackedMatrix(PackedFormat format, int rows, int columns)
    {
        Format = format;
        Rows = rows;
        Columns = columns;
        int panels = (rows + PackedFormat.PanelRows - 1) / PackedFormat.PanelRows;
        _data = NativeBuffer.HugePages(checked((nuint)(panels * format.PanelBytes(columns))));
        _rowScales = format.Kind == PackedKind.Int8 ? NativeBuffer.Of<float>(panels * PackedFormat.PanelRows) : null;
        _blockScales = format.Kind == PackedKind.Fp8Block ? NativeBuffer.Of<float>((nint)panels * format.Groups(columns)) : null;
    }

    public PackedFormat Format { get; }

    public int Rows { get; }

    public int Columns { get; }

    public byte* Data => _data.Pointer;

    /// <summary>[N padded to 16], or null.</summary>
    public float* RowScales => _rowScales is null ? null : _rowScales.As<float>();

    /// <summary>Scales of a block's groups, [groups, panels of the block], or null.</summary>
    public float* BlockScales(int block) => _blockScales is null ? null : _blockScales.As<float>() + ((nint)block * PackedFormat.MaxPanels * Format.Groups(Columns));

    public int NumPanels => (Rows + PackedFormat.PanelRows - 1) / PackedFormat.PanelRows;

    public int NumBlocks => (NumPanels + PackedFormat.MaxPanels - 1) / PackedFormat.MaxPanels;

    public long ByteLength => (long)_data.ByteLength + (long)((_rowScales?.ByteLength ?? 0) + (_blockScales?.ByteLength ?? 0));

    /// <summary>First byte of a block of up to four panels.</summary>
    public byte* Block(int block) => Data + (block * PackedFormat.MaxPanels * Format.PanelBytes(Columns));

    public int PanelsOf(int block) => Math.Min(PackedFormat.MaxPanels, NumPanels - (block * PackedFormat.MaxPanels));

    public void Dispose()
    {
        _data.Dispose();
        _rowScales?.Dispose();
        _blockScales?.Dispose();
    }
}
