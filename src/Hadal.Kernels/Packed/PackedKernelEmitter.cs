using Hadal.Kernels.Vectors;
using Hadal.Numerics;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hadal.Kernels.Packed;

/// <summary>
/// Writes the inner kernel of packed matrices: up to 4 panels of 16 rows times as many tokens as registers hold sums of.
/// </summary>
/// <remarks>
/// Per line of 64 bytes and token one multiply-add instruction does 64 int8 or 32 bf16 products for 16 outputs; a line is loaded once for all tokens,
/// a token's four bytes are broadcast once for all panels. With 4 panels and 3 tokens that is 12 multiply-adds for 7 loads.
/// Registers: accumulators first, then sums of a run where groups of weights are scaled, then weights, then one for the broadcast activations.
/// vpdpbusd multiplies unsigned by signed, so weights are stored with their zero point added and it is taken out again by what the
/// accumulators start from. Integers are folded into f32 by the scale of the weights' group; that of the activations comes once a run of
/// <see cref="PackedFormat.RunK"/> columns: the multiplications of a fold compete with the products for the same two ports.
/// </remarks>
internal static class PackedKernelEmitter
{
    private const int PrefetchBytes = 8192;

    // Lines a round of an inner loop does where groups do not say.
    private const int Unroll = 4;

    /// <summary>Columns that one round of the inner loop covers; a group where weights are scaled by groups.</summary>
    public static int RoundK(PackedFormat format) => format.HasGroupScale ? format.GroupK : Unroll * format.LineK;

    public static void Emit(Assembler c, PackedFormat format, int panels, int tokens)
    {
        if (format.IsInteger)
        {
            EmitIntegers(c, format, panels, tokens);
        }
        else
        {
            EmitFloats(c, format, panels, tokens);
        }
    }

    private static void EmitFloats(Assembler c, PackedFormat format, int panels, int tokens)
    {
        int tiles = panels * tokens;
        bool fp8 = format.Kind == PackedKind.Fp8Block;
        AssemblerRegisterZMM Acc(int t, int j) => Zmm.At((t * panels) + j);
        AssemblerRegisterZMM Sum(int t, int j) => Zmm.At((fp8 ? tiles : 0) + (t * panels) + j);
        AssemblerRegisterZMM Weight(int j) => Zmm.At(tiles + j);
        AssemblerRegisterZMM x = Zmm.At(Math.Min(tiles + panels, 31));

        AssemblerRegister64 weights = rax;
        AssemblerRegister64 activations = rdx;
        AssemblerRegister64 weightScales = r9;
        AssemblerRegister64 sums = r11;
        Label tables = c.CreateLabel();
        c.mov(weights, __qword_ptr[rdi + KernelArgs.WeightsAt]);
        c.mov(activations, __qword_ptr[rdi + KernelArgs.ActivationsAt]);
        c.mov(sums, __qword_ptr[rdi + KernelArgs.SumsAt]);
        c.mov(ecx, __dword_ptr[rdi + KernelArgs.RunsAt]);
        ForTiles(panels, tokens, (t, j) => c.vmovups(Sum(t, j), __zmmword_ptr[sums + (((t * panels) + j) * 64)]));
        if (fp8)
        {
            c.mov(weightScales, __qword_ptr[rdi + KernelArgs.WeightScalesAt]);
            c.lea(rsi, __[tables]);
            for (int i = 0; i < 4; i++)
            {
                c.vmovdqu64(Zmm.At(27 + i), __zmmword_ptr[rsi + (i * 64)]);
            }

            c.mov(esi, unchecked((int)0x80808080));
            c.vpbroadcastd(zmm31, esi);
        }

        Label run = c.CreateLabel();
        Label round = c.CreateLabel();
        c.Label(ref run);
        if (fp8)
        {
            ForTiles(panels, tokens, (t, j) => c.vpxord(Acc(t, j), Acc(t, j), Acc(t, j)));
        }

        EmitCount(c, KernelArgs.RoundsAt, KernelArgs.LastRoundsAt);
        c.Label(ref round);
        for (int line = 0; line < Unroll; line++)
        {
            int at = line * panels * PackedFormat.LineBytes;
            EmitPrefetch(c, weights, at, panels);
            if (fp8)
            {
                EmitE4M3(c, line, panels, tokens, at, weights, activations, Acc);
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
                    c.vdpbf16ps(Acc(t, j), Weight(j), x);
                }
            }
        }

        c.add(weights, Unroll * panels * PackedFormat.LineBytes);
        c.add(activations, RoundK(format) * format.ActivationBytes * tokens);
        c.dec(esi);
        c.jnz(round);
        if (fp8)
        {
            ForTiles(panels, tokens, (t, j) => c.vfmadd231ps(Sum(t, j), Acc(t, j), __dword_bcst[weightScales + (j * 4)]));
            c.add(weightScales, panels * 4);
        }

        c.dec(ecx);
        c.jnz(run);
        ForTiles(panels, tokens, (t, j) => c.vmovups(__zmmword_ptr[sums + (((t * panels) + j) * 64)], Sum(t, j)));
        c.vzeroupper();
        c.ret();
        if (fp8)
        {
            c.Label(ref tables);
            c.db(E4M3Tables());
        }
    }

    private static void EmitIntegers(Assembler c, PackedFormat format, int panels, int tokens)
    {
        int tiles = panels * tokens;
        bool grouped = format.HasGroupScale;
        int free = grouped ? 2 * tiles : tiles;
        AssemblerRegisterZMM Acc(int t, int j) => Zmm.At((t * panels) + j);
        AssemblerRegisterZMM RunSum(int t, int j) => Zmm.At(tiles + (t * panels) + j);
        AssemblerRegisterZMM Weight(int j) => Zmm.At(free + j);
        AssemblerRegisterZMM x = Zmm.At(free + panels);
        AssemblerRegisterZMM nibbles = Zmm.At(Math.Min(free + panels + 1, 31));

        AssemblerRegister64 weights = rax;
        AssemblerRegister64 activations = rdx;
        AssemblerRegister64 scales = r8;
        AssemblerRegister64 corrections = r9;
        AssemblerRegister64 groupSums = r10;
        AssemblerRegister64 sums = r11;
        c.mov(weights, __qword_ptr[rdi + KernelArgs.WeightsAt]);
        c.mov(activations, __qword_ptr[rdi + KernelArgs.ActivationsAt]);
        c.mov(sums, __qword_ptr[rdi + KernelArgs.SumsAt]);
        c.mov(scales, __qword_ptr[rdi + KernelArgs.ScalesAt]);
        c.mov(corrections, __qword_ptr[rdi + KernelArgs.CorrectionsAt]);
        c.mov(groupSums, __qword_ptr[rdi + KernelArgs.GroupSumsAt]);
        c.mov(ecx, __dword_ptr[rdi + KernelArgs.RunsAt]);
        if (format.LineK == 8)
        {
            c.mov(esi, 0x0F0F0F0F);
            c.vpbroadcastd(nibbles, esi);
        }

        Label run = c.CreateLabel();
        Label round = c.CreateLabel();
        c.Label(ref run);
        if (grouped)
        {
            ForTiles(panels, tokens, (t, j) => c.vpxord(RunSum(t, j), RunSum(t, j), RunSum(t, j)));
        }
        else
        {
            EmitStart();
        }

        EmitCount(c, KernelArgs.RoundsAt, KernelArgs.LastRoundsAt);
        c.Label(ref round);
        if (grouped)
        {
            EmitStart();
        }

        int lines = RoundK(format) / format.LineK;
        for (int line = 0; line < lines; line++)
        {
            int at = line * panels * PackedFormat.LineBytes;
            EmitPrefetch(c, weights, at, panels);
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
                    c.vpdpbusd(Acc(t, j), Weight(j), x);
                }
            }
        }

        c.add(weights, lines * panels * PackedFormat.LineBytes);
        c.add(activations, RoundK(format) * tokens);
        if (grouped)
        {
            EmitFold(c, format, panels, tokens, weights, groupSums, Acc, RunSum, Weight);
        }

        c.dec(esi);
        c.jnz(round);
        ForTiles(panels, tokens, (t, j) =>
        {
            AssemblerRegisterZMM value = grouped ? RunSum(t, j) : Acc(t, j);
            AssemblerRegisterZMM total = Weight(j);
            if (!grouped)
            {
                c.vcvtdq2ps(value, value);
            }

            c.vmovups(total, __zmmword_ptr[sums + (((t * panels) + j) * 64)]);
            c.vfmadd231ps(total, value, __dword_bcst[scales + (t * 4)]);
            c.vmovups(__zmmword_ptr[sums + (((t * panels) + j) * 64)], total);
        });
        c.add(scales, tokens * 4);
        c.dec(ecx);
        c.jnz(run);
        c.vzeroupper();
        c.ret();

        // What accumulators start from: minus the zero point times the sum of the activations.
        void EmitStart()
        {
            ForTiles(panels, tokens, (t, j) =>
            {
                if (format.ZeroPoint != 0)
                {
                    c.vpbroadcastd(Acc(t, j), __dword_ptr[corrections + (t * 4)]);
                }
                else
                {
                    c.vpxord(Acc(t, j), Acc(t, j), Acc(t, j));
                }
            });
            if (format.ZeroPoint != 0)
            {
                c.add(corrections, tokens * 4);
            }
        }
    }

    // esi = rounds of this run: ecx counts runs down, the last one may be shorter.
    private static void EmitCount(Assembler c, int rounds, int lastRounds)
    {
        c.mov(esi, __dword_ptr[rdi + rounds]);
        c.cmp(ecx, 1);
        c.cmove(esi, __dword_ptr[rdi + lastRounds]);
    }

    private static void EmitPrefetch(Assembler c, AssemblerRegister64 weights, int at, int panels)
    {
        for (int j = 0; j < panels; j++)
        {
            c.prefetcht0(__byte_ptr[weights + (at + (j * PackedFormat.LineBytes) + PrefetchBytes)]);
        }
    }

    private static void ForTiles(int panels, int tokens, Action<int, int> emit)
    {
        for (int t = 0; t < tokens; t++)
        {
            for (int j = 0; j < panels; j++)
            {
                emit(t, j);
            }
        }
    }

    // Upper and lower bytes of the bf16 that each of the 128 codes without sign stands for, as vpermi2b looks them up.
    private static byte[] E4M3Tables()
    {
        byte[] bytes = new byte[256];
        for (int code = 0; code < 128; code++)
        {
            ushort bits = Bf16.FromSingle(Fp8.E4M3ToSingle((byte)code));
            bytes[code] = (byte)(bits >> 8);
            bytes[128 + code] = (byte)bits;
        }

        return bytes;
    }

    // 64 codes become 2 × 32 bf16: both bytes by table, the sign put back, interleaved.
    private static void EmitE4M3(
        Assembler c, int line, int panels, int tokens, int at, AssemblerRegister64 weights, AssemblerRegister64 activations, Func<int, int, AssemblerRegisterZMM> acc)
    {
        AssemblerRegisterZMM low = zmm24;
        AssemblerRegisterZMM high = zmm25;
        AssemblerRegisterZMM pairs = zmm26;
        for (int j = 0; j < panels; j++)
        {
            c.vmovdqu64(low, __zmmword_ptr[weights + (at + (j * PackedFormat.LineBytes))]);
            c.vmovdqa64(high, low);
            c.vpermi2b(high, zmm27, zmm28);
            c.vpternlogd(high, low, zmm31, 0xF8); // high | (low & sign)
            c.vpermi2b(low, zmm29, zmm30);
            c.vpunpcklbw(pairs, low, high);
            c.vpunpckhbw(low, low, high);
            for (int t = 0; t < tokens; t++)
            {
                c.vdpbf16ps(acc(t, j), pairs, __dword_bcst[activations + ((((2 * line) * tokens) + t) * 4)]);
                c.vdpbf16ps(acc(t, j), low, __dword_bcst[activations + ((((2 * line) + 1) * tokens) + t) * 4]);
            }
        }
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

    // run sum += float(acc) · weight scale − minimum · Σ activations
    private static void EmitFold(
        Assembler c,
        PackedFormat format,
        int panels,
        int tokens,
        AssemblerRegister64 weights,
        AssemblerRegister64 groupSums,
        Func<int, int, AssemblerRegisterZMM> acc,
        Func<int, int, AssemblerRegisterZMM> sum,
        Func<int, AssemblerRegisterZMM> weight)
    {
        for (int j = 0; j < panels; j++)
        {
            c.vcvtph2ps(weight(j), __ymmword_ptr[weights + (j * 32)]);
        }

        ForTiles(panels, tokens, (t, j) =>
        {
            c.vcvtdq2ps(acc(t, j), acc(t, j));
            c.vfmadd231ps(sum(t, j), acc(t, j), weight(j));
        });
        if (format.HasGroupMin)
        {
            for (int j = 0; j < panels; j++)
            {
                c.vcvtph2ps(weight(j), __ymmword_ptr[weights + ((panels + j) * 32)]);
                for (int t = 0; t < tokens; t++)
                {
                    c.vfnmadd231ps(sum(t, j), weight(j), __dword_bcst[groupSums + (t * 4)]);
                }
            }

            c.add(groupSums, tokens * 4);
        }

        c.add(weights, panels * format.GroupTailBytes);
    }
}
