namespace Hadal.Graph.Ir;

/// <summary>What a node computes: the operation with its weights and constants. Inputs and outputs are the node's.</summary>
public abstract record Op
{
    /// <summary>Short name for people: <c>hadal explain</c>, profiles.</summary>
    public abstract string Name { get; }

    /// <summary>Weights the operation reads.</summary>
    public virtual IEnumerable<WeightSpec> Weights => [];

    /// <summary>Writes outside its outputs (KV pages): never dead.</summary>
    public virtual bool HasEffect => false;

    /// <summary>Whether the output may take the memory of input <paramref name="index"/> when that input ends here.</summary>
    public virtual bool MayAlias(int index) => false;
}
