using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>A weight matrix [N, K] in the order its kernel reads it, in memory of the arena it was packed into.</summary>
public sealed unsafe class PackedMatrix
{
    private readonly float* _blockScales;

    internal PackedMatrix(PackedFormat format, int rows, int columns, NativeArena arena)
    {
        Format = format;
        Rows = rows;
        Columns = columns;
        long panels = NumPanels;
        long data = checked(panels * format.PanelBytes(columns));
        long rowScales = format.Kind == PackedKind.Int8 ? panels * PackedFormat.PanelRows * sizeof(float) : 0;
        long blockScales = format.Kind == PackedKind.Fp8Block ? panels * format.Groups(columns) * sizeof(float) : 0;
        ByteLength = data + rowScales + blockScales;
        // No kind has both: scales follow the lines, aligned as these are.
        long scalesAt = rowScales + blockScales == 0 ? data : (data + PackedFormat.LineBytes - 1) / PackedFormat.LineBytes * PackedFormat.LineBytes;
        long stored = scalesAt + rowScales + blockScales;
        Data = arena.Take((nuint)stored);
        Storage = new NativeRegion(Data, stored);
        RowScales = rowScales == 0 ? null : (float*)(Data + scalesAt);
        _blockScales = blockScales == 0 ? null : (float*)(Data + scalesAt);
    }

    public PackedFormat Format { get; }

    public int Rows { get; }

    public int Columns { get; }

    public byte* Data { get; }

    /// <summary>[N padded to 16], or null.</summary>
    public float* RowScales { get; }

    /// <summary>Scales of a block's groups, [groups, panels of the block], or null.</summary>
    public float* BlockScales(int block) => _blockScales == null ? null : _blockScales + ((nint)block * PackedFormat.MaxPanels * Format.Groups(Columns));

    public int NumPanels => (Rows + PackedFormat.PanelRows - 1) / PackedFormat.PanelRows;

    public int NumBlocks => (NumPanels + PackedFormat.MaxPanels - 1) / PackedFormat.MaxPanels;

    public long ByteLength { get; }

    /// <summary>All that was packed, scales included, as it lies: copied elsewhere and back it is the same matrix.</summary>
    public NativeRegion Storage { get; }

    /// <summary>First byte of a block of up to four panels.</summary>
    public byte* Block(int block) => Data + (block * PackedFormat.MaxPanels * Format.PanelBytes(Columns));

    public int PanelsOf(int block) => Math.Min(PackedFormat.MaxPanels, NumPanels - (block * PackedFormat.MaxPanels));
}
