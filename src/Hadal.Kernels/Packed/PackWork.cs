using Hadal.Jit;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>Packs blocks of 64 rows. Split as the products will be: a worker first touches, and so has near it, what it will read.</summary>
internal unsafe struct PackWork(WeightMatrix source, PackedMatrix target, WorkSplit split) : IWork
{
    public readonly void Run(int worker, int numWorkers)
    {
        PackedFormat format = target.Format;
        int columns = PackedFormat.Padded(source.Columns);
        int groups = format.Groups(columns);
        // Two bytes a column serve bf16 too; scales and minima are f16 bits. The 16 rows of a panel are brought side by side at a time.
        using NativeBuffer codes = NativeBuffer.Of<ushort>(columns);
        using NativeBuffer row = NativeBuffer.Of<float>(columns);
        using NativeBuffer rounded = new((nuint)columns);
        using NativeBuffer words = NativeBuffer.Of<uint>((nint)PackedFormat.PanelRows * (columns / format.LineK));
        using NativeBuffer scales = NativeBuffer.Of<ushort>(PackedFormat.PanelRows * groups);
        using NativeBuffer minima = NativeBuffer.Of<ushort>(PackedFormat.PanelRows * groups);
        while (split.Next(worker, out int first, out int count))
        {
            for (int block = first; block < first + count; block++)
            {
                int panels = target.PanelsOf(block);
                WriteBlockScales(block, panels);
                for (int panel = 0; panel < panels; panel++)
                {
                    for (int lane = 0; lane < PackedFormat.PanelRows; lane++)
                    {
                        int n = (block * PackedFormat.BlockRows) + (panel * PackedFormat.PanelRows) + lane;
                        Read(n, columns, codes.As<ushort>(), scales.As<ushort>() + (lane * groups), minima.As<ushort>() + (lane * groups), row.As<float>(), rounded.As<sbyte>());
                        Words(codes.As<ushort>(), columns, words.As<uint>() + ((nint)lane * (columns / format.LineK)));
                    }

                    Write(target.Block(block), panels, panel, columns, words.As<uint>(), scales.As<ushort>(), minima.As<ushort>());
                }
            }
        }
    }

    /// <summary>A row as unsigned codes (or bf16 bits), with the f16 bits of its scales and minima.</summary>
    private readonly void Read(int n, int columns, ushort* codes, ushort* scales, ushort* minima, float* row, sbyte* scratch)
    {
        PackedFormat format = target.Format;
        new Span<ushort>(codes, columns).Fill((ushort)format.ZeroPoint);
        if (n >= source.Rows)
        {
            // Rows that only fill the panel: zeros with scale zero.
            new Span<ushort>(scales, format.Groups(columns)).Clear();
            new Span<ushort>(minima, format.Groups(columns)).Clear();
            return;
        }

        byte* data = source.Row(n);
        switch (format.Kind)
        {
            case PackedKind.Bf16:
                new ReadOnlySpan<ushort>(data, source.Columns).CopyTo(new Span<ushort>(codes, columns));
                break;
            case PackedKind.Fp8Block:
                for (int k = 0; k < source.Columns; k++)
                {
                    codes[k] = data[k];
                }

                break;
            case PackedKind.Int8 when source is { DType: DType.I8, ScaleLayout: ScaleLayout.PerRow }:
                target.RowScales[n] = source.Scales[n];
                for (int k = 0; k < source.Columns; k++)
                {
                    codes[k] = (ushort)(((sbyte*)data)[k] + 128);
                }

                break;
            case PackedKind.Int8:
                WeightDecoder.DecodeRow(source, n, 0, source.Columns, row);
                target.RowScales[n] = Int8QuantizerWork.QuantizeRow(source, row, n, scratch);
                for (int k = 0; k < source.Columns; k++)
                {
                    codes[k] = (ushort)(scratch[k] + 128);
                }

                break;
            default:
                GgufGroups.Read(source.DType, data, source.Columns, codes, scales, minima);
                break;
        }
    }

    private readonly void WriteBlockScales(int block, int panels)
    {
        float* scales = target.BlockScales(block);
        if (scales == null)
        {
            return;
        }

        int groups = target.Format.Groups(source.Columns);
        for (int j = 0; j < panels; j++)
        {
            int row = (block * PackedFormat.BlockRows) + (j * PackedFormat.PanelRows);
            for (int g = 0; g < groups; g++)
            {
                scales[(g * panels) + j] = source.Scales[((nint)(row / source.ScaleBlockRows) * source.ScaleStride) + g];
            }
        }
    }

    /// <summary>A row's codes as the four bytes that each line has of it.</summary>
    private readonly void Words(ushort* codes, int columns, uint* words)
    {
        switch (target.Format.LineK)
        {
            case 2:
                new ReadOnlySpan<byte>(codes, columns * sizeof(ushort)).CopyTo(new Span<byte>(words, columns * sizeof(ushort)));
                break;
            case 4:
                for (int k = 0; k < columns; k += 4)
                {
                    words[k / 4] = (uint)(codes[k] | (codes[k + 1] << 8) | (codes[k + 2] << 16) | (codes[k + 3] << 24));
                }

                break;
            default:
                for (int k = 0; k < columns; k += 8)
                {
                    uint low = (uint)(codes[k] | (codes[k + 1] << 8) | (codes[k + 2] << 16) | (codes[k + 3] << 24));
                    uint high = (uint)(codes[k + 4] | (codes[k + 5] << 8) | (codes[k + 6] << 16) | (codes[k + 7] << 24));
                    words[k / 8] = low | (high << 4);
                }

                break;
        }
    }

    /// <summary>The lines of a panel, and after each group its scales and minima.</summary>
    private readonly void Write(byte* block, int panels, int panel, int columns, uint* words, ushort* scales, ushort* minima)
    {
        PackedFormat format = target.Format;
        int groups = format.Groups(columns);
        int lines = columns / format.LineK;
        int linesPerGroup = format.GroupTailBytes == 0 ? lines : format.GroupK / format.LineK;
        byte* line = block + (panel * PackedFormat.LineBytes);
        nint lineStep = (nint)panels * PackedFormat.LineBytes;
        for (int first = 0, group = 0; first < lines; first += linesPerGroup, group++)
        {
            for (int at = first; at < Math.Min(lines, first + linesPerGroup); at++, line += lineStep)
            {
                for (int lane = 0; lane < PackedFormat.PanelRows; lane++)
                {
                    uint word = words[((nint)lane * lines) + at];
                    if (format.Kind == PackedKind.Fp8Block)
                    {
                        // Within each 16 bytes: columns 0 and 1 of four rows, then columns 2 and 3, so that interleaving the two bytes
                        // of the decoded values gives pairs of columns.
                        ushort* quad = (ushort*)line + (lane / 4 * 8) + (lane % 4);
                        quad[0] = (ushort)word;
                        quad[4] = (ushort)(word >> 16);
                    }
                    else
                    {
                        ((uint*)line)[lane] = word;
                    }
                }
            }

            if (format.HasGroupScale)
            {
                // The lines of this group end where its tail begins: scales of all panels, then minima of all panels.
                byte* tail = line - (panel * PackedFormat.LineBytes);
                for (int lane = 0; lane < PackedFormat.PanelRows; lane++)
                {
                    ((ushort*)(tail + (panel * 32)))[lane] = scales[(lane * groups) + group];
                    if (format.HasGroupMin)
                    {
                        ((ushort*)(tail + ((panels + panel) * 32)))[lane] = minima[(lane * groups) + group];
                    }
                }

                line += (nint)panels * format.GroupTailBytes;
            }
        }
    }
}
