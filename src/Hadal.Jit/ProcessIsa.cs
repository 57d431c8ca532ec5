using System.Runtime.Intrinsics.X86;
using Hadal.Numerics;

namespace Hadal.Jit;

/// <summary>The level kernels keep below in this process. Fixed when a kernel first asks, so that it costs them nothing: the JIT sees a constant.</summary>
/// <remarks>
/// A host may also set it as the property <c>Hadal.Isa</c> of its runtimeconfig.json: scalar, avx2 or avx512. Unlike <c>DOTNET_EnableAVX512=0</c> it works in
/// the native file too, whose own instruction set was fixed when it was compiled.
/// </remarks>
public static class ProcessIsa
{
    private const string Property = "Hadal.Isa";

    public static IsaLevel Limit => Fixed.Limit;

    /// <summary>Kernels are to run as their scalar references.</summary>
    public static bool IsScalar => Fixed.Limit == IsaLevel.Scalar;

    /// <summary>What emitted code may use: all that the processor has, or nothing.</summary>
    public static CpuFeatures EmittedFeatures()
        => Limit == IsaLevel.Avx512 ? CpuFeatures.Detect() : CpuFeatures.None with { SwitchedOffBy = $"--isa {Name(Limit)}" };

    /// <summary>Sets the level, before anything is computed.</summary>
    /// <exception cref="HadalException">This machine does not have it.</exception>
    /// <exception cref="InvalidOperationException">Another one is in use already.</exception>
    public static void Use(IsaLevel level)
    {
        string? missing = level switch
        {
            IsaLevel.Avx512 when CpuFeatures.Detect() is { Avx512: false } found
                => found + (Avx2.IsSupported ? "; the most it offers here is avx2" : ""),
            IsaLevel.Avx2 when !(Avx2.IsSupported && Fma.IsSupported) => "no AVX2 with FMA, or it is switched off",
            _ => null,
        };
        if (missing is not null)
        {
            throw new HadalException($"--isa {Name(level)}: this machine has {missing}.");
        }

        AppContext.SetData(Property, Name(level));
        if (Fixed.Limit != level)
        {
            throw new InvalidOperationException($"kernels of this process run at {Name(Fixed.Limit)} already");
        }
    }

    private static string Name(IsaLevel level) => level switch
    {
        IsaLevel.Scalar => "scalar",
        IsaLevel.Avx2 => "avx2",
        _ => "avx512",
    };

    private static class Fixed
    {
        public static readonly IsaLevel Limit = AppContext.GetData(Property) switch
        {
            null or "avx512" => IsaLevel.Avx512,
            "avx2" => IsaLevel.Avx2,
            "scalar" => IsaLevel.Scalar,
            object other => throw new HadalException($"{Property} is '{other}'; allowed are scalar, avx2, avx512."),
        };
    }
}
