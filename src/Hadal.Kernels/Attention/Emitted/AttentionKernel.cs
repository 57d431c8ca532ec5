using Hadal.Jit;
using Iced.Intel;

namespace Hadal.Kernels.Attention.Emitted;

/// <summary>Attention over bf16 pages, emitted for one shape.</summary>
public sealed unsafe class AttentionKernel : IDisposable
{
    private readonly ExecutableMemory _memory;

    public AttentionKernel(AttentionKernelShape shape)
    {
        Shape = shape;
        _memory = ExecutableMemory.Create(Code(shape));
    }

    public AttentionKernelShape Shape { get; }

    internal delegate* unmanaged<AttentionArgs*, void> Entry => (delegate* unmanaged<AttentionArgs*, void>)_memory.Entry;

    /// <summary>Whether this machine has the instructions, and the widths are whole registers (DeepSeek's are).</summary>
    public static bool Supports(CpuFeatures features, AttentionKernelShape shape)
        => features.Avx512Bf16 && shape.ValueDim % AttentionArgs.Rows == 0 && shape.KeyDim % 8 == 0;

    /// <summary>What it is called, for people.</summary>
    public static string Name(AttentionKernelShape shape) => $"Attention.{shape.KeyDim}x{shape.ValueDim}+{shape.ValueColumn}";

    /// <summary>Rows (heads of a token, or of several) done together.</summary>
    public const int Rows = AttentionArgs.Rows;

    /// <summary>The bytes, for people and tests.</summary>
    public static byte[] Code(AttentionKernelShape shape)
    {
        var c = new Assembler(64);
        AttentionKernelEmitter.Emit(c, shape);
        return MachineCode.Assemble(c);
    }

    public void Dispose() => _memory.Dispose();
}
