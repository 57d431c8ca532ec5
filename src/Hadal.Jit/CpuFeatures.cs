using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Hadal.Jit;

/// <summary>
/// What the processor and the operating system together allow generated code to use. Asked of the processor itself, since NativeAOT answers
/// <c>IsSupported</c> for the machine it compiled for.
/// </summary>
public sealed record CpuFeatures
{
    /// <summary>AVX-512 F, BW, DQ and VL.</summary>
    public bool Avx512 { get; init; }

    /// <summary>vpdpbusd on 512 bits.</summary>
    public bool Avx512Vnni { get; init; }

    /// <summary>vdpbf16ps on 512 bits.</summary>
    public bool Avx512Bf16 { get; init; }

    /// <summary>vpermb, vpermi2b.</summary>
    public bool Avx512Vbmi { get; init; }

    /// <summary>The setting that keeps emitted code off, whatever the processor has; null where none does.</summary>
    public string? SwitchedOffBy { get; init; }

    /// <summary>Nothing beyond what .NET itself compiles.</summary>
    public static CpuFeatures None { get; } = new();

    /// <summary>This machine's, but for what <c>DOTNET_EnableAVX512=0</c> or <c>DOTNET_EnableHWIntrinsic=0</c> switch off for .NET too.</summary>
    public static CpuFeatures Detect()
    {
        foreach (string variable in (ReadOnlySpan<string>)["DOTNET_EnableAVX512", "DOTNET_EnableAVX2", "DOTNET_EnableHWIntrinsic"])
        {
            if (Environment.GetEnvironmentVariable(variable) == "0")
            {
                return None with { SwitchedOffBy = variable + "=0" };
            }
        }

        if (!X86Base.IsSupported || !OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
        {
            return None;
        }

        // Intel SDM volume 2A, CPUID; volume 1, 13.3: bits 1, 2, 5, 6, 7 of XCR0 say that vector and mask registers survive a task switch.
        (_, _, int ecx1, _) = X86Base.CpuId(1, 0);
        const int osxsave = 1 << 27;
        const ulong vectorState = 0b1110_0110;
        if ((ecx1 & osxsave) == 0 || (ReadXcr0() & vectorState) != vectorState)
        {
            return None;
        }

        (_, int ebx7, int ecx7, _) = X86Base.CpuId(7, 0);
        (int eax71, _, _, _) = X86Base.CpuId(7, 1);
        bool avx512 = Bit(ebx7, 16) && Bit(ebx7, 17) && Bit(ebx7, 30) && Bit(ebx7, 31);
        return new CpuFeatures
        {
            Avx512 = avx512,
            Avx512Vnni = avx512 && Bit(ecx7, 11),
            Avx512Bf16 = avx512 && Bit(eax71, 5),
            Avx512Vbmi = avx512 && Bit(ecx7, 1),
        };
    }

    /// <summary>For people: what emitted code may use.</summary>
    public override string ToString()
    {
        if (!Avx512)
        {
            return SwitchedOffBy is null ? "no AVX-512" : $"AVX-512 switched off by {SwitchedOffBy}";
        }

        return "AVX-512 F/BW/DQ/VL" + (Avx512Vnni ? ", VNNI" : "") + (Avx512Bf16 ? ", BF16" : "") + (Avx512Vbmi ? ", VBMI" : "");
    }

    private static bool Bit(int word, int bit) => ((word >> bit) & 1) != 0;

    // .NET has no intrinsic for xgetbv.
    private static unsafe ulong ReadXcr0()
    {
        var c = new Assembler(64);
        c.xor(ecx, ecx);
        c.xgetbv();
        c.shl(rdx, 32);
        c.or(rax, rdx);
        c.ret();
        using ExecutableMemory code = ExecutableMemory.Create(MachineCode.Assemble(c));
        return ((delegate* unmanaged<ulong>)code.Entry)();
    }
}
