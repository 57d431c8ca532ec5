using Hadal.Jit;
using Hadal.Kernels.Weights;
using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>Packs blocks of 64 rows. Split as the products will be: a worker first touches, and so has near it, what it will read.</summary>
internal unsafe struct PackWork(WeightMatrix source, PackedMatrix target, WorkSplit split) : IWork
{
    public void Run(int worker, int numWorkers)
    {
        PackedFormat format = target.Format;
        int columns = PackedFormat.Padded(source.Columns);
        // Two bytes a column serve bf16 too; scales and minima are f16 bits.
        using NativeBuffer codes = NativeBuffer.Of<ushort>(columns);
        using NativeBuffer scales = NativeBuffer.Of<ushort>(format.Groups(columns));
        using NativeBuffer minima = NativeBuffer.Of<ushort>(format.Groups(columns));
        using NativeBuffer row = NativeBuffer.Of<float>(columns);
        using NativeBuffer rounded = new((nuint)columns);
        while (split.Next(worker, out int first, out int count))
        {
            for (int block = first; block < first + count; block++)
            {
                PackBlock(block, columns, codes, scales, minima, row, rounded);
            }
        }
    }

    private readonly void PackBlock(int block, int columns, NativeBuffer codes, NativeBuffer scales, NativeBuffer minima, NativeBuffer row, NativeBuffer rounded)
    {
        int panels = target.PanelsOf(block);
        byte* data = target.Block(block);
        WriteBlockScales(block, panels);
        for (int r = 0; r < panels * PackedFormat.PanelRows; r++)
        {
            int n = (block * PackedFormat.BlockRows) + r;
            Read(n, columns, codes.As<ushort>(), scales.As<ushort>(), minima.As<ushort>(), row.As<float>(), rounded.As<sbyte>());
            Write(data, panels, r, columns, codes.As<ushort>(), scales.As<ushort>(), minima.As<ushort>());
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
            case PackedKind.Int8 when source.DType == DType.I8:
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
                // The last group of padded columns may lie past the last scale; its weights are zero.
                scales[(g * panels) + j] = source.Scales[((nint)(row / source.ScaleBlockRows) * source.ScaleStride) + Math.Min(g, source.ScaleStride - 1)];
            }
        }
    }

    private readonly void Write(byte* block, int panels, int row, int columns, ushort* codes, ushort* scales, ushort* minima)
    {
        PackedFormat format = target.Format;
        int panel = row / PackedFormat.PanelRows;
        int lane = row % PackedFormat.PanelRows;
        int groupK = format.GroupTailBytes == 0 ? columns : format.GroupK;
        byte* line = block + (panel * PackedFormat.LineBytes) + (lane * 4);
        nint lineStep = (nint)panels * PackedFormat.LineBytes;
        for (int group = 0; group * groupK < columns; group++)
        {
            int end = Math.Min(columns, (group + 1) * groupK);
            for (int k = group * groupK; k < end; k += format.LineK, line += lineStep)
            {
                switch (format.LineK)
                {
                    case 2:
                        ((ushort*)line)[0] = codes[k];
                        ((ushort*)line)[1] = codes[k + 1];
                        break;
                    case 4 when format.Kind == PackedKind.Fp8Block:
                        // Within each 16 bytes: columns 0 and 1 of four rows, then columns 2 and 3, so that interleaving the two bytes
                        // of the decoded values gives pairs of columns.
                        byte* quad = line - (lane * 4) + (lane / 4 * 16) + (lane % 4 * 2);
                        quad[0] = (byte)codes[k];
                        quad[1] = (byte)codes[k + 1];
                        quad[8] = (byte)codes[k + 2];
                        quad[9] = (byte)codes[k + 3];
                        break;
                    case 4:
                        for (int i = 0; i < 4; i++)
                        {
                            line[i] = (byte)codes[k + i];
                        }

                        break;
                    default:
                        for (int i = 0; i < 4; i++)
                        {
                            line[i] = (byte)(codes[k + i] | (codes[k + 4 + i] << 4));
                        }

                        break;
                }
            }

            if (format.HasGroupScale)
            {
                // The lines of this group end where its tail begins: scales of all panels, then minima of all panels.
                byte* tail = line - (panel * PackedFormat.LineBytes) - (lane * 4);
                ((ushort*)(tail + (panel * 32)))[lane] = scales[group];
                if (format.HasGroupMin)
                {
                    ((ushort*)(tail + ((panels + panel) * 32)))[lane] = minima[group];
                }

                line += (nint)panels * format.GroupTailBytes;
            }
        }
    }
}
