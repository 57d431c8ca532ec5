using System.Collections.Concurrent;
using System.IO.Compression;
using System.Reflection;
using Hadal.Cuda;
using Hadal.Numerics;

namespace Hadal.Kernels.Cuda;

/// <summary>The kernels of this assembly on one device: each .cu file's PTX is assembled and loaded when first asked for.</summary>
/// <remarks>Thread-safe. A kernel that was asked for before is found without an allocation.</remarks>
public sealed class CudaKernels : IDisposable
{
    private readonly ConcurrentDictionary<(string Module, string Kernel), CudaFunction> _functions = new();
    private readonly ConcurrentDictionary<string, Lazy<CudaModule>> _modules = new(StringComparer.Ordinal);

    /// <exception cref="HadalException">The card cannot run the target.</exception>
    public CudaKernels(CudaContext context, CudaTarget target = CudaTarget.Auto)
    {
        ArgumentNullException.ThrowIfNull(context);
        Context = context;
        Target = Choose(context.Device.Name, context.Device.Major, context.Device.Minor, target);
    }

    public CudaContext Context { get; }

    /// <summary>Never Auto.</summary>
    public CudaTarget Target { get; }

    /// <summary>The target is sm_90a.</summary>
    public bool IsHopper => Target == CudaTarget.Sm90a;

    /// <param name="module">The .cu file's name without extension.</param>
    /// <param name="kernel">The kernel's name in it.</param>
    /// <param name="dynamicSharedBytes">Dynamic shared memory that launches will use.</param>
    public CudaFunction Get(string module, string kernel, int dynamicSharedBytes = 0)
    {
        if (!_functions.TryGetValue((module, kernel), out CudaFunction? function))
        {
            function = _functions.GetOrAdd((module, kernel), Module(module).Function(kernel));
        }

        function.AllowShared(dynamicSharedBytes);
        return function;
    }

    /// <summary>The module has such a kernel on this target: for those that only Hopper has.</summary>
    public bool Has(string module, string kernel) => _functions.ContainsKey((module, kernel)) || Module(module).Has(kernel);

    /// <summary>Assembles and loads modules ahead of their first use, several at once.</summary>
    public void Preload(params ReadOnlySpan<string> modules)
        => Parallel.ForEach(modules.ToArray(), name => Module(name));

    /// <summary>Everything launched must be done.</summary>
    public void Dispose()
    {
        foreach (Lazy<CudaModule> module in _modules.Values.Where(m => m.IsValueCreated))
        {
            module.Value.Dispose();
        }

        _modules.Clear();
        _functions.Clear();
    }

    /// <summary>The build of the kernels for a card.</summary>
    internal static CudaTarget Choose(string name, int major, int minor, CudaTarget target)
    {
        bool hopper = major == 9 && minor == 0;
        if (major < 8)
        {
            throw new HadalException($"{name} has compute capability {major}.{minor}; the CUDA kernels need 8.0 or more (Ampere: A100, RTX 30, and everything after).");
        }

        if (target == CudaTarget.Sm90a && !hopper)
        {
            throw new HadalException($"{name} has compute capability {major}.{minor}; kernels for sm_90a run only on 9.0 (H100, H200, GH200). Those for sm_80 run here.");
        }

        return target != CudaTarget.Auto ? target : hopper ? CudaTarget.Sm90a : CudaTarget.Sm80;
    }

    internal static string Suffix(CudaTarget target) => target == CudaTarget.Sm90a ? "sm_90a" : "sm_80";

    private CudaModule Module(string name)
    {
        Lazy<CudaModule> module = _modules.GetOrAdd(name, static (n, self) => new Lazy<CudaModule>(() => self.Load(n)), this);
        return module.Value;
    }

    private CudaModule Load(string module) => Context.Load($"{module}.{Suffix(Target)}", ReadPtx(typeof(CudaKernels).Assembly, module, Target));

    /// <summary>The PTX of a module, embedded as <c>ptx/{module}.{target}.ptx.gz</c>.</summary>
    internal static byte[] ReadPtx(Assembly assembly, string module, CudaTarget target)
    {
        string resource = $"ptx/{module}.{Suffix(target)}.ptx.gz";
        using Stream packed = assembly.GetManifestResourceStream(resource)
            ?? throw new InvalidOperationException($"there is no {resource} in {assembly.GetName().Name}: is {module}.cu there, and was eng/build-kernels.sh run?");
        using var gzip = new GZipStream(packed, CompressionMode.Decompress);
        var ptx = new MemoryStream();
        gzip.CopyTo(ptx);
        return ptx.ToArray();
    }
}
