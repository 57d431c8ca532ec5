using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hadal.Jit;

/// <summary>How many multiplications and additions a second all workers together do when nothing has to be loaded: the ceiling of prompts.</summary>
public static unsafe class MultiplyAddRate
{
    // As many independent sums as hide a latency of 6 cycles at two a cycle.
    private const int Sums = 12;
    private const int Rounds = 400_000;

    /// <returns>10⁹ operations a second, a product and its addition counted as two: the best of some passes. Null where the machine lacks the instruction.</returns>
    public static double? MeasureGops(WorkerPool pool, MultiplyAdd instruction)
    {
        CpuFeatures features = CpuFeatures.Detect();
        bool there = instruction switch
        {
            MultiplyAdd.Int8 => features.Avx512Vnni,
            MultiplyAdd.Bf16 => features.Avx512Bf16,
            _ => features.Avx512 || (Fma.IsSupported && OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64),
        };
        if (!there)
        {
            return null;
        }

        using ExecutableMemory code = ExecutableMemory.Create(Code(instruction, features.Avx512));
        int products = instruction switch
        {
            MultiplyAdd.Int8 => 64,
            MultiplyAdd.Bf16 => 32,
            _ => features.Avx512 ? 16 : 8,
        };
        double best = 0;
        for (int pass = 0; pass < 5; pass++)
        {
            var work = new Spin((delegate* unmanaged<long, void>)code.Entry);
            long start = Stopwatch.GetTimestamp();
            pool.Run(ref work);
            best = Math.Max(best, 2.0 * products * Sums * Rounds * pool.NumWorkers / Stopwatch.GetElapsedTime(start).TotalSeconds / 1e9);
        }

        return best;
    }

    private static byte[] Code(MultiplyAdd instruction, bool wide)
    {
        var c = new Assembler(64);
        Label loop = c.CreateLabel();
        // Zeros times zeros: finite for as long as it runs, and as fast as any.
        for (int i = 0; i < Sums + 2; i++)
        {
            c.vpxor(Xmm(i), Xmm(i), Xmm(i));
        }

        c.Label(ref loop);
        for (int i = 0; i < Sums; i++)
        {
            switch (instruction)
            {
                case MultiplyAdd.Int8:
                    c.vpdpbusd(Zmm(i), Zmm(Sums), Zmm(Sums + 1));
                    break;
                case MultiplyAdd.Bf16:
                    c.vdpbf16ps(Zmm(i), Zmm(Sums), Zmm(Sums + 1));
                    break;
                case MultiplyAdd.F32 when wide:
                    c.vfmadd231ps(Zmm(i), Zmm(Sums), Zmm(Sums + 1));
                    break;
                default:
                    c.vfmadd231ps(Ymm(i), Ymm(Sums), Ymm(Sums + 1));
                    break;
            }
        }

        c.dec(rdi);
        c.jnz(loop);
        c.vzeroupper();
        c.ret();
        return MachineCode.Assemble(c);
    }

    private static AssemblerRegisterXMM Xmm(int i) => new(Register.XMM0 + i);

    private static AssemblerRegisterYMM Ymm(int i) => new(Register.YMM0 + i);

    private static AssemblerRegisterZMM Zmm(int i) => new(Register.ZMM0 + i);

    private readonly struct Spin(delegate* unmanaged<long, void> code) : IWork
    {
        public void Run(int worker, int numWorkers) => code(Rounds);
    }
}
