using Hadal.Jit;
using Iced.Intel;

namespace Hadal.Kernels.Mla;

/// <summary>Latent attention emitted for one width of pages.</summary>
public sealed unsafe class LatentKernel : IDisposable
{
    private readonly ExecutableMemory _memory;

    public LatentKernel(MlaShape shape)
    {
        Shape = shape;
        _memory = ExecutableMemory.Create(Code(shape));
    }

    public MlaShape Shape { get; }

    internal delegate* unmanaged<LatentArgs*, void> Entry => (delegate* unmanaged<LatentArgs*, void>)_memory.Entry;

    /// <summary>Whether this machine has the instructions, and the widths are whole registers (DeepSeek's are).</summary>
    public static bool Supports(CpuFeatures features, MlaShape shape)
        => features.Avx512Bf16 && shape.KvLoraRank % LatentArgs.Rows == 0 && shape.CacheWidth % 8 == 0;

    /// <summary>The bytes, for people and tests.</summary>
    public static byte[] Code(MlaShape shape)
    {
        var c = new Assembler(64);
        LatentKernelEmitter.Emit(c, shape.CacheWidth, shape.KvLoraRank);
        return MachineCode.Assemble(c);
    }

    public void Dispose() => _memory.Dispose();
}
