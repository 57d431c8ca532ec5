using Hadal.Kernels.Vectors;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>
/// Writes the inner kernel of attention over bf16 pages: 16 rows (heads that share keys, of one or several tokens) against a block of keys, online
/// softmax and values included, for one shape.
/// </summary>
/// <remarks>
/// Rows lie in lanes. Scores: a pair of columns of all 16 queries is one register, a key's pair is broadcast from the page itself: vdpbf16ps.
/// Values: pairs of keys are interleaved to registers of 16 columns, a row's pair of probabilities is broadcast: vdpbf16ps again.
/// So a key is read from memory once for all rows, and the K + V multiply-adds of 16 rows with a key take (K + V)/2 instructions.
/// </remarks>
internal static class AttentionKernelEmitter
{
    /// <summary>Keys whose scores are summed at a time.</summary>
    public const int KeyGroup = 8;

    // 2^f on [−½, ½] by its Taylor series: wrong by 2.4e-6 at the most, where probabilities are rounded to 2^-9.
    private static readonly float[] _exp2 = [1.0f, 0.69314718f, 0.24022651f, 0.05550411f, 0.00961813f, 0.00133336f];

    /// <param name="c">Target.</param>
    /// <param name="shape">Keys of a multiple of 8 columns, values of a multiple of 16.</param>
    public static void Emit(Assembler c, AttentionKernelShape shape)
    {
        AssemblerRegister64[] saved = [rbx, r12, r13, r14, r15];
        foreach (AssemblerRegister64 r in saved)
        {
            c.push(r);
        }

        EmitScores(c, shape);
        EmitSoftmax(c);
        EmitValues(c, shape);
        c.vzeroupper();
        foreach (AssemblerRegister64 r in saved.Reverse())
        {
            c.pop(r);
        }

        c.ret();
    }

    // S[key, row] = scale · q[row]·page[key], −∞ where the key comes after the row; zmm28 = the largest of each row.
    private static void EmitScores(Assembler c, AttentionKernelShape shape)
    {
        int width = shape.KeyDim;
        // A cache line of each key a round, where rows are whole lines.
        int unroll = width % 32 == 0 ? 16 : 4;
        AssemblerRegister64[] key = [rax, rcx, rdx, r8, r9, r10, r11, rbx];
        AssemblerRegisterZMM largest = zmm28;
        AssemblerRegisterZMM scale = zmm29;
        AssemblerRegisterZMM limits = zmm30;
        AssemblerRegisterZMM index = zmm31;
        AssemblerRegisterZMM one = zmm26;
        AssemblerRegisterZMM negativeInfinity = zmm27;

        c.mov(rsi, __qword_ptr[rdi + AttentionArgs.KeysAt]);
        c.mov(r13, __qword_ptr[rdi + AttentionArgs.ScoresAt]);
        c.mov(r14d, __dword_ptr[rdi + AttentionArgs.GroupsAt]);
        c.mov(rax, __qword_ptr[rdi + AttentionArgs.LimitsAt]);
        c.vmovdqu32(limits, __zmmword_ptr[rax]);
        c.vpbroadcastd(index, __dword_ptr[rdi + AttentionArgs.FirstKeyAt]);
        c.vbroadcastss(scale, __dword_ptr[rdi + AttentionArgs.ScaleAt]);
        Broadcast(c, negativeInfinity, float.NegativeInfinity);
        c.vmovaps(largest, negativeInfinity);
        c.mov(eax, 1);
        c.vpbroadcastd(one, eax);

        Label group = c.CreateLabel();
        Label columns = c.CreateLabel();
        c.Label(ref group);
        for (int j = 0; j < KeyGroup; j++)
        {
            c.mov(key[j], __qword_ptr[rsi + (j * 8)]);
            c.vpxord(Zmm.At(j), Zmm.At(j), Zmm.At(j));
            c.vpxord(Zmm.At(KeyGroup + j), Zmm.At(KeyGroup + j), Zmm.At(KeyGroup + j));
        }

        c.mov(r12, __qword_ptr[rdi + AttentionArgs.QueriesAt]);
        c.xor(r15d, r15d);
        c.Label(ref columns);
        for (int u = 0; u < unroll; u++)
        {
            AssemblerRegisterZMM queries = Zmm.At(16 + (u % 8));
            c.vmovdqu64(queries, __zmmword_ptr[r12 + (u * 64)]);
            if (unroll == 16 && u % 2 == 0)
            {
                // The group after this one, if its page lies next to this one's; where it does not, nothing is lost but the prefetch.
                c.prefetcht0(__byte_ptr[key[u / 2] + r15 + (KeyGroup * shape.RowWidth * sizeof(ushort))]);
                if (shape.ValueColumn > 0)
                {
                    // This group's values, which come when all scores are done.
                    c.prefetcht0(__byte_ptr[key[u / 2] + r15 + (shape.ValueColumn * sizeof(ushort))]);
                }
            }

            for (int j = 0; j < KeyGroup; j++)
            {
                // Two sums a key, so that none waits for its predecessor.
                c.vdpbf16ps(Zmm.At((u % 2 * KeyGroup) + j), queries, __dword_bcst[key[j] + r15 + (u * 4)]);
            }
        }

        c.add(r12, unroll * 64);
        c.add(r15d, unroll * 4);
        c.cmp(r15d, width * 2);
        c.jb(columns);
        for (int j = 0; j < KeyGroup; j++)
        {
            c.vaddps(Zmm.At(j), Zmm.At(j), Zmm.At(KeyGroup + j));
            c.vmulps(Zmm.At(j), Zmm.At(j), scale);
            c.vpcmpd(k1, limits, index, 5); // not less than
            c.vblendmps(Zmm.At(j).k1, negativeInfinity, Zmm.At(j));
            c.vmaxps(largest, largest, Zmm.At(j));
            c.vmovups(__zmmword_ptr[r13 + (j * 64)], Zmm.At(j));
            c.vpaddd(index, index, one);
        }

        c.add(rsi, KeyGroup * 8);
        c.add(r13, KeyGroup * 64);
        c.dec(r14d);
        c.jnz(group);
    }

    // p = 2^(S − m), as bf16 pairs of neighbouring keys; the state's largest and sum, and what the values so far shrink by.
    private static void EmitSoftmax(Assembler c)
    {
        AssemblerRegisterZMM largest = zmm28;
        AssemblerRegisterZMM sum = zmm27;
        AssemblerRegisterZMM least = zmm26;
        AssemblerRegisterZMM zero = zmm25;
        c.mov(rax, __qword_ptr[rdi + AttentionArgs.StateAt]);
        c.vmovups(zmm0, __zmmword_ptr[rax]);
        c.vmaxps(largest, largest, zmm0);
        c.vmovups(__zmmword_ptr[rax], largest);
        // Rows that may see no key yet: their largest is −∞, and −∞ − −∞ is no number.
        Broadcast(c, zmm1, float.NegativeInfinity);
        c.vpxord(zero, zero, zero);
        c.vcmpps(k1, largest, zmm1, 0);
        c.vblendmps(largest.k1, largest, zero);
        Broadcast(c, least, -150);
        for (int i = 0; i < _exp2.Length; i++)
        {
            Broadcast(c, Zmm.At(16 + i), _exp2[i]);
        }

        c.vsubps(zmm0, zmm0, largest);
        EmitExp2(c, zmm0, zmm1, least);
        c.vmovups(__zmmword_ptr[rax + AttentionArgs.ShrinkOffset], zmm0);
        c.vmulps(sum, zmm0, __zmmword_ptr[rax + AttentionArgs.SumOffset]);

        c.mov(rcx, __qword_ptr[rdi + AttentionArgs.ScoresAt]);
        c.mov(rdx, __qword_ptr[rdi + AttentionArgs.ProbabilitiesAt]);
        c.mov(r14d, __dword_ptr[rdi + AttentionArgs.GroupsAt]);
        Label group = c.CreateLabel();
        c.Label(ref group);
        for (int pair = 0; pair < KeyGroup / 2; pair++)
        {
            for (int i = 0; i < 2; i++)
            {
                c.vmovups(Zmm.At(2 * i), __zmmword_ptr[rcx + (((2 * pair) + i) * 64)]);
                c.vsubps(Zmm.At(2 * i), Zmm.At(2 * i), largest);
                EmitExp2(c, Zmm.At(2 * i), Zmm.At((2 * i) + 1), least);
                c.vaddps(sum, sum, Zmm.At(2 * i));
            }

            c.vcvtneps2bf16(ymm4, zmm0);
            c.vcvtneps2bf16(ymm5, zmm2);
            c.vpmovzxwd(zmm4, ymm4);
            c.vpmovzxwd(zmm5, ymm5);
            c.vpslld(zmm5, zmm5, 16);
            c.vpord(zmm4, zmm4, zmm5);
            c.vmovdqu32(__zmmword_ptr[rdx + (pair * 64)], zmm4);
        }

        c.add(rcx, KeyGroup * 64);
        c.add(rdx, KeyGroup / 2 * 64);
        c.dec(r14d);
        c.jnz(group);
        c.vmovups(__zmmword_ptr[rax + AttentionArgs.SumOffset], sum);
    }

    // values[row, c] = shrink[row] · values[row, c] + Σ_key p[key, row] · page[key, c], 16 columns of 16 rows at a time.
    private static void EmitValues(Assembler c, AttentionKernelShape shape)
    {
        int rank = shape.ValueDim;
        const int rows = AttentionArgs.Rows;
        AssemblerRegister64 state = r8;
        AssemblerRegister64 values = r9;
        AssemblerRegister64 column = r10;
        c.mov(state, __qword_ptr[rdi + AttentionArgs.StateAt]);
        c.lea(values, __[state + AttentionArgs.ValuesOffset]);
        c.xor(r10d, r10d);
        Label columns = c.CreateLabel();
        Label pairs = c.CreateLabel();
        c.Label(ref columns);
        for (int r = 0; r < rows; r++)
        {
            c.vmovups(Zmm.At(r), __zmmword_ptr[values + (r * AttentionArgs.ValueStride(rank) * sizeof(float))]);
            c.vmulps(Zmm.At(r), Zmm.At(r), __dword_bcst[state + (AttentionArgs.ShrinkOffset + (r * sizeof(float)))]);
        }

        c.mov(rsi, __qword_ptr[rdi + AttentionArgs.KeysAt]);
        c.mov(rdx, __qword_ptr[rdi + AttentionArgs.ProbabilitiesAt]);
        c.mov(r14d, __dword_ptr[rdi + AttentionArgs.GroupsAt]);
        c.Label(ref pairs);
        for (int pair = 0; pair < KeyGroup / 2; pair++)
        {
            AssemblerRegisterZMM v = Zmm.At(16 + (2 * (pair % 4)));
            AssemblerRegisterZMM next = Zmm.At(17 + (2 * (pair % 4)));
            c.mov(rax, __qword_ptr[rsi + (pair * 16)]);
            c.mov(rcx, __qword_ptr[rsi + (pair * 16) + 8]);
            c.vpmovzxwd(v, __ymmword_ptr[rax + column + (shape.ValueColumn * sizeof(ushort))]);
            c.vpmovzxwd(next, __ymmword_ptr[rcx + column + (shape.ValueColumn * sizeof(ushort))]);
            c.vpslld(next, next, 16);
            c.vpord(v, v, next);
            for (int r = 0; r < rows; r++)
            {
                c.vdpbf16ps(Zmm.At(r), v, __dword_bcst[rdx + ((pair * 64) + (r * 4))]);
            }
        }

        c.add(rsi, KeyGroup * 8);
        c.add(rdx, KeyGroup / 2 * 64);
        c.dec(r14d);
        c.jnz(pairs);
        for (int r = 0; r < rows; r++)
        {
            c.vmovups(__zmmword_ptr[values + (r * AttentionArgs.ValueStride(rank) * sizeof(float))], Zmm.At(r));
        }

        c.add(values, 64);
        c.add(column, 32);
        c.cmp(r10d, rank * 2);
        c.jb(columns);
    }

    // x becomes 2^x. The coefficients are in zmm16 and on.
    private static void EmitExp2(Assembler c, AssemblerRegisterZMM x, AssemblerRegisterZMM scratch, AssemblerRegisterZMM least)
    {
        // The second operand is what a NaN comes out as.
        c.vmaxps(x, least, x);
        c.vrndscaleps(scratch, x, 0);
        c.vsubps(x, x, scratch);
        AssemblerRegisterZMM p = zmm24;
        c.vmovaps(p, Zmm.At(16 + _exp2.Length - 1));
        for (int i = _exp2.Length - 2; i >= 0; i--)
        {
            c.vfmadd213ps(p, x, Zmm.At(16 + i));
        }

        c.vscalefps(x, p, scratch);
    }

    private static void Broadcast(Assembler c, AssemblerRegisterZMM target, float value)
    {
        c.mov(r15d, BitConverter.SingleToInt32Bits(value));
        c.vpbroadcastd(target, r15d);
    }
}
