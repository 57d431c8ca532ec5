using Hadal.Graph.Ir;

namespace Hadal.Graph.Passes;

/// <summary>One rewriting of a graph into an equal one that runs faster.</summary>
public interface IGraphPass
{
    /// <summary>Name for <c>--fusion</c> and <c>hadal explain</c>.</summary>
    string Name { get; }

    /// <summary>What it does and why that is faster, in a sentence.</summary>
    string Why { get; }

    /// <summary>Rewrites the graph.</summary>
    /// <returns>How many places it changed.</returns>
    int Apply(ModelGraph graph);
}
