using Hadal.Jit;
using Hadal.Kernels.Attention.Emitted;
using Iced.Intel;

namespace Hadal.Kernels.Packed;

/// <summary>The emitted kernels, made when first asked for and kept: one for each kind, number of panels and number of tokens.</summary>
public sealed unsafe class PackedKernels : IDisposable
{
    private static readonly int _maxTokens = Enum.GetValues<PackedKind>().Max(k => PackedFormat.Of(k).MaxTokens);

    private readonly CpuFeatures _features;
    private readonly nint[] _entries;
    private readonly List<ExecutableMemory> _code = [];
    private readonly Dictionary<AttentionKernelShape, AttentionKernel> _attention = [];
    private readonly Lock _lock = new();

    public PackedKernels(CpuFeatures features)
    {
        _features = features;
        _entries = new nint[Enum.GetValues<PackedKind>().Length * PackedFormat.MaxPanels * _maxTokens];
    }

    /// <summary>Whether this machine has the instructions of a kind.</summary>
    public bool Supports(PackedKind kind) => kind switch
    {
        PackedKind.Bf16 => _features.Avx512Bf16,
        PackedKind.Fp8Block => _features.Avx512Bf16 && _features.Avx512Vbmi,
        _ => _features.Avx512Vnni,
    };

    /// <summary>Attention over bf16 pages for a model's shape, or null where this machine or that shape has none.</summary>
    public AttentionKernel? Attention(AttentionKernelShape shape)
    {
        lock (_lock)
        {
            if (!_attention.TryGetValue(shape, out AttentionKernel? kernel) && AttentionKernel.Supports(_features, shape))
            {
                _attention.Add(shape, kernel = new AttentionKernel(shape));
            }

            return kernel;
        }
    }

    /// <summary>What a kernel is called, for people: kind, panels of 16 rows, tokens.</summary>
    public static string Name(PackedKind kind, int panels, int tokens) => $"{kind}.{panels}x{tokens}";

    /// <summary>The bytes of a kernel, for people and tests. Any machine can assemble them.</summary>
    public static byte[] Code(PackedKind kind, int panels, int tokens)
    {
        var c = new Assembler(64);
        PackedKernelEmitter.Emit(c, PackedFormat.Of(kind), panels, tokens);
        return MachineCode.Assemble(c);
    }

    public void Dispose()
    {
        foreach (ExecutableMemory memory in _code)
        {
            memory.Dispose();
        }

        _code.Clear();
        foreach (AttentionKernel kernel in _attention.Values)
        {
            kernel.Dispose();
        }

        _attention.Clear();
    }

    internal delegate* unmanaged<KernelArgs*, void> Find(PackedKind kind, int panels, int tokens)
    {
        int index = ((((int)kind * PackedFormat.MaxPanels) + panels - 1) * _maxTokens) + tokens - 1;
        nint entry = Volatile.Read(ref _entries[index]);
        return (delegate* unmanaged<KernelArgs*, void>)(entry != 0 ? entry : Make(kind, panels, tokens, index));
    }

    private nint Make(PackedKind kind, int panels, int tokens, int index)
    {
        lock (_lock)
        {
            if (_entries[index] == 0)
            {
                ExecutableMemory memory = ExecutableMemory.Create(Code(kind, panels, tokens));
                _code.Add(memory);
                Volatile.Write(ref _entries[index], (nint)memory.Entry);
            }

            return _entries[index];
        }
    }
}
