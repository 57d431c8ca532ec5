using Hadal.Graph.Ir;

namespace Hadal.Graph.Cpu;

/// <summary>A node bound to its buffers and weights, ready to run. Allocates nothing while it runs.</summary>
public abstract class CpuOp : IDisposable
{
    /// <summary>The node it was compiled from, for people.</summary>
    public required Node Node { get; init; }

    public abstract void Run(CpuStep step);

    /// <summary>Floats of scratch a step of this many tokens needs.</summary>
    public virtual long ScratchFloats(int numTokens) => 0;

    /// <summary>Frees what the operation holds from step to step.</summary>
    public virtual void Dispose()
    {
    }
}
