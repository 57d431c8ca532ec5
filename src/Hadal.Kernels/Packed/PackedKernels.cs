using Hadal.Jit;
using Hadal.Kernels.Mla;
using Iced.Intel;

namespace Hadal.Kernels.Packed;

/// <summary>The emitted kernels, made when first asked for and kept: one for each kind, number of panels and number of tokens.</summary>
public sealed unsafe class PackedKernels : IDisposable
{
    private const int MaxTokens = 6;

    private readonly CpuFeatures _features;
    private readonly nint[] _entries;
    private readonly List<ExecutableMemory> _code = [];
    private readonly Dictionary<MlaShape, LatentKernel> _latent = [];
    private readonly Lock _lock = new();

    public PackedKernels(CpuFeatures features)
    {
        _features = features;
        _entries = new nint[Enum.GetValues<PackedKind>().Length * PackedFormat.MaxPanels * MaxTokens];
    }

    /// <summary>Whether this machine has the instructions of a kind.</summary>
    public bool Supports(PackedKind kind) => kind switch
    {
        PackedKind.Bf16 => _features.Avx512Bf16,
        PackedKind.Fp8Block => _features.Avx512Bf16 && _features.Avx512Vbmi,
        _ => _features.Avx512Vnni,
    };

    /// <summary>Latent attention for a model's widths, or null where this machine or those widths have none.</summary>
    public LatentKernel? Latent(MlaShape shape)
    {
        lock (_lock)
        {
            if (!_latent.TryGetValue(shape, out LatentKernel? kernel) && LatentKernel.Supports(_features, shape))
            {
                _latent.Add(shape, kernel = new LatentKernel(shape));
            }

            return kernel;
        }
    }

    /// <summary>The bytes of a kernel, for people and tests.</summary>
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
        foreach (LatentKernel kernel in _latent.Values)
        {
            kernel.Dispose();
        }

        _latent.Clear();
    }

    internal delegate* unmanaged<KernelArgs*, void> Find(PackedKind kind, int panels, int tokens)
    {
        int index = ((((int)kind * PackedFormat.MaxPanels) + panels - 1) * MaxTokens) + tokens - 1;
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
