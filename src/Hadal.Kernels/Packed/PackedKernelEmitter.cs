using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hadal.Kernels.Packed;

/// <summary>
/// Writes the inner kernel of packed matrices: up to 4 panels of 16 rows times up to 3 (integers) or 6 (bf16) tokens, sums in registers.
/// </summary>
/// <remarks>
/// Per line of 64 bytes and token one multiply-add instruction does 64 int8 or 32 bf16 products for 16 outputs; a line is loaded once for all tokens,
/// a token's four bytes are broadcast once for all panels. With 4 panels and 3 tokens that is 12 multiply-adds for 7 loads.
/// Registers: integer (or no) accumulators first, f32 sums after them, then weights, then one for the broadcast activations.
/// vpdpbusd multiplies unsigned by signed, so weights are stored with their zero point added and it is taken out again by what the
/// accumulators start from.
/// </remarks>
internal static class PackedKernelEmitter
{
    /// <summary>Lines (or for int8 and bf16, steps) a round of the inner loop does.</summary>
    public const int Unroll = 4;

    private const int PrefetchBytes = 2048;

    /// <summary>Columns that one round of the inner loop covers.</summary>
    public static int RoundK(PackedFormat format) => format.Kind switch
    {
        // A group of 32 is one round: its scales follow its lines.
        PackedKind.Int8Group32 or PackedKind.Int4Group32 or PackedKind.Int4Group32Min => 32,
        _ => Unroll * format.LineK,
    };

    public static void Emit(Assembler c, PackedFormat format, int panels, int tokens)
    {
        int tiles = panels * tokens;
        bool grouped = format.IsInteger;
        AssemblerRegisterZMM Acc(int t, int j) => Zmm((t * panels) + j);
        AssemblerRegisterZMM Sum(int t, int j) => Zmm((grouped ? tiles : 0) + (t * panels) + j);
        int free = grouped ? 2 * tiles : tiles;
        AssemblerRegisterZMM Weight(int j) => Zmm(free + j);
        AssemblerRegisterZMM x = Zmm(free + panels);
        AssemblerRegisterZMM nibbles = Zmm(free + panels + 1);

        AssemblerRegister64 weights = rax;
        AssemblerRegister64 activations = rdx;
        AssemblerRegister64 scales = r8;
        AssemblerRegister64 corrections = r9;
        AssemblerRegister64 scaledSums = r10;
        AssemblerRegister64 sums = r11;

        c.mov(weights, __qword_ptr[rdi]);
        c.mov(activations, __qword_ptr[rdi + 8]);
        c.mov(sums, __qword_ptr[rdi + 16]);
        c.mov(scales, __qword_ptr[rdi + 24]);
        c.mov(corrections, __qword_ptr[rdi + 32]);
        c.mov(scaledSums, __qword_ptr[rdi + 40]);
        c.mov(ecx, __dword_ptr[rdi + 48]);
        for (int t = 0; t < tokens; t++)
        {
            for (int j = 0; j < panels; j++)
            {
                c.vmovups(Sum(t, j), __zmmword_ptr[sums + (((t * panels) + j) * 64)]);
            }
        }

        if (format.LineK == 8)
        {
            c.mov(esi, 0x0F0F0F0F);
            c.vpbroadcastd(nibbles, esi);
        }

        Label group = c.CreateLabel();
        Label round = c.CreateLabel();
        c.Label(ref group);
        if (grouped)
        {
            for (int t = 0; t < tokens; t++)
            {
                for (int j = 0; j < panels; j++)
                {
                    if (format.ZeroPoint != 0)
                    {
                        c.vpbroadcastd(Acc(t, j), __dword_ptr[corrections + (t * 4)]);
                    }
                    else
                    {
                        c.vpxord(Acc(t, j), Acc(t, j), Acc(t, j));
                    }
                }
            }

            c.add(corrections, tokens * 4);
        }

        c.mov(esi, __dword_ptr[rdi + 52]);
        c.cmp(ecx, 1);
        c.cmove(esi, __dword_ptr[rdi + 56]);
        c.Label(ref round);
        int lines = RoundK(format) / format.LineK;
        for (int line = 0; line < lines; line++)
        {
            int at = line * panels * PackedFormat.LineBytes;
            for (int j = 0; j < panels; j++)
            {
                c.prefetcht0(__byte_ptr[weights + (at + (j * PackedFormat.LineBytes) + PrefetchBytes)]);
            }

            if (format.LineK == 8)
            {
                EmitNibbles(c, line, panels, tokens, at, weights, activations, Acc, Weight, x, nibbles);
                continue;
            }

            for (int j = 0; j < panels; j++)
            {
                c.vmovdqu64(Weight(j), __zmmword_ptr[weights + (at + (j * PackedFormat.LineBytes))]);
            }

            for (int t = 0; t < tokens; t++)
            {
                c.vpbroadcastd(x, __dword_ptr[activations + (((line * tokens) + t) * 4)]);
                for (int j = 0; j < panels; j++)
                {
                    if (grouped)
                    {
                        c.vpdpbusd(Acc(t, j), Weight(j), x);
                    }
                    else
                    {
                        c.vdpbf16ps(Acc(t, j), Weight(j), x);
                    }
                }
            }
        }

        c.add(weights, lines * panels * PackedFormat.LineBytes);
        c.add(activations, RoundK(format) * format.ActivationBytes * tokens);
        c.dec(esi);
        c.jnz(round);

        if (grouped)
        {
            EmitFold(c, format, panels, tokens, weights, scales, scaledSums, Acc, Sum, Weight);
        }

        c.dec(ecx);
        c.jnz(group);
        for (int t = 0; t < tokens; t++)
        {
            for (int j = 0; j < panels; j++)
            {
                c.vmovups(__zmmword_ptr[sums + (((t * panels) + j) * 64)], Sum(t, j));
            }
        }

        c.vzeroupper();
        c.ret();
    }

    // A line of nibbles is two steps: the low ones are columns 0 to 3 of the line, the high ones 4 to 7.
    private static void EmitNibbles(
        Assembler c,
        int line,
        int panels,
        int tokens,
        int at,
        AssemblerRegister64 weights,
        AssemblerRegister64 activations,
        Func<int, int, AssemblerRegisterZMM> acc,
        Func<int, AssemblerRegisterZMM> weight,
        AssemblerRegisterZMM x,
        AssemblerRegisterZMM nibbles)
    {
        for (int half = 0; half < 2; half++)
        {
            for (int j = 0; j < panels; j++)
            {
                // Loaded a second time for the high half: the load comes from the first-level cache, a register would have to be spared for it.
                if (half == 0)
                {
                    c.vpandd(weight(j), nibbles, __zmmword_ptr[weights + (at + (j * PackedFormat.LineBytes))]);
                }
                else
                {
                    c.vpsrld(weight(j), __zmmword_ptr[weights + (at + (j * PackedFormat.LineBytes))], 4);
                    c.vpandd(weight(j), weight(j), nibbles);
                }
            }

            for (int t = 0; t < tokens; t++)
            {
                c.vpbroadcastd(x, __dword_ptr[activations + ((((2 * line) + half) * tokens) + t) * 4]);
                for (int j = 0; j < panels; j++)
                {
                    c.vpdpbusd(acc(t, j), weight(j), x);
                }
            }
        }
    }

    // sum += float(acc) · weight scale · activation scale − minimum · activation scale · Σ activations
    private static void EmitFold(
        Assembler c,
        PackedFormat format,
        int panels,
        int tokens,
        AssemblerRegister64 weights,
        AssemblerRegister64 scales,
        AssemblerRegister64 scaledSums,
        Func<int, int, AssemblerRegisterZMM> acc,
        Func<int, int, AssemblerRegisterZMM> sum,
        Func<int, AssemblerRegisterZMM> weight)
    {
        if (format.HasGroupScale)
        {
            for (int j = 0; j < panels; j++)
            {
                c.vcvtph2ps(weight(j), __ymmword_ptr[weights + (j * 32)]);
            }
        }

        for (int t = 0; t < tokens; t++)
        {
            for (int j = 0; j < panels; j++)
            {
                c.vcvtdq2ps(acc(t, j), acc(t, j));
                if (format.HasGroupScale)
                {
                    c.vmulps(acc(t, j), acc(t, j), weight(j));
                }

                c.vfmadd231ps(sum(t, j), acc(t, j), __dword_bcst[scales + (t * 4)]);
            }
        }

        c.add(scales, tokens * 4);
        if (format.HasGroupMin)
        {
            for (int j = 0; j < panels; j++)
            {
                c.vcvtph2ps(weight(j), __ymmword_ptr[weights + ((panels + j) * 32)]);
                for (int t = 0; t < tokens; t++)
                {
                    c.vfnmadd231ps(sum(t, j), weight(j), __dword_bcst[scaledSums + (t * 4)]);
                }
            }

            c.add(scaledSums, tokens * 4);
        }

        if (format.GroupTailBytes > 0)
        {
            c.add(weights, panels * format.GroupTailBytes);
        }
    }

    private static AssemblerRegisterZMM Zmm(int index) => _zmm[index];

    private static readonly AssemblerRegisterZMM[] _zmm =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];
}
