using System.Text;

namespace Hadal.Cuda;

/// <summary>Kernels loaded together. Its functions work until it is disposed.</summary>
public sealed unsafe class CudaModule : IDisposable
{
    private readonly ModuleHandle _handle;

    internal CudaModule(CudaContext context, string name, nint handle)
    {
        Context = context;
        Name = name;
        _handle = new ModuleHandle(context.Handle, handle);
    }

    public CudaContext Context { get; }

    public string Name { get; }

    /// <exception cref="CudaException">There is no such kernel.</exception>
    public CudaFunction Function(string name)
    {
        nint function = Find(name);
        return function != 0
            ? new CudaFunction(this, name, function)
            : throw new CudaException(CudaResult.NotFound, isSticky: false, $"the module {Name} has no kernel '{name}'");
    }

    public bool Has(string name) => Find(name) != 0;

    public void Dispose() => _handle.Dispose();

    private nint Find(string name)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        Context.Enter();
        nint function = 0;
        CudaResult result;
        fixed (byte* p = Encoding.UTF8.GetBytes(name + '\0'))
        {
            result = DriverApi.cuModuleGetFunction(&function, _handle.DangerousGetHandle(), p);
        }

        if (result == CudaResult.NotFound)
        {
            return 0;
        }

        Context.Check(result, "cuModuleGetFunction", $"{name} of {Name}");
        return function;
    }

    private sealed class ModuleHandle(ContextHandle context, nint value) : ChildHandle(context, value)
    {
        protected override CudaResult Free(nint value) => DriverApi.cuModuleUnload(value);
    }
}
