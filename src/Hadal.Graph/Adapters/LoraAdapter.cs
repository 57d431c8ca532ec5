namespace Hadal.Graph.Adapters;

/// <summary>An adapter for a graph: pairs by the name of the weight they change. Shapes have been checked.</summary>
public sealed record LoraAdapter(string Name, IReadOnlyDictionary<string, LoraPair> Pairs);
