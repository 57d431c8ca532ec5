namespace Hadal.Cuda;

/// <summary>A captured piece of work, ready to run as a whole. What it uses (buffers, modules) must outlive it.</summary>
public sealed unsafe class CudaGraph : IDisposable
{
    private readonly CudaContext _context;
    private readonly GraphHandle _handle;

    /// <summary>Takes the captured graph over and makes it executable.</summary>
    internal CudaGraph(CudaContext context, nint graph)
    {
        _context = context;
        try
        {
            nuint nodes = 0;
            context.Check(DriverApi.cuGraphGetNodes(graph, null, &nodes), "cuGraphGetNodes");
            NodeCount = (int)nodes;
            nint instance = 0;
            context.Check(DriverApi.cuGraphInstantiateWithFlags(&instance, graph, 0), "cuGraphInstantiate", NodeCount + " nodes");
            _handle = new GraphHandle(context.Handle, instance);
            Handle = instance;
        }
        finally
        {
            _ = DriverApi.cuGraphDestroy(graph);
        }
    }

    public int NodeCount { get; }

    private nint Handle { get; }

    /// <summary>Moves what the first launch would have to move to the device.</summary>
    public void Upload(CudaStream s)
    {
        Enter(s);
        _context.Check(DriverApi.cuGraphUpload(Handle, s.Handle), "cuGraphUpload", NodeCount + " nodes");
    }

    public void Launch(CudaStream s)
    {
        Enter(s);
        CudaResult result = DriverApi.cuGraphLaunch(Handle, s.Handle);
        if (result != CudaResult.Success)
        {
            throw _context.Failed(result, "cuGraphLaunch", ToString());
        }

        s.Launched(this, default);
    }

    public void Dispose() => _handle.Dispose();

    public override string ToString() => $"a graph of {NodeCount} nodes";

    private void Enter(CudaStream s)
    {
        ArgumentNullException.ThrowIfNull(s);
        ObjectDisposedException.ThrowIf(_handle.IsClosed, this);
        s.Enter();
    }

    private sealed class GraphHandle(ContextHandle context, nint value) : ChildHandle(context, value)
    {
        protected override CudaResult Free(nint value) => DriverApi.cuGraphExecDestroy(value);
    }
}
