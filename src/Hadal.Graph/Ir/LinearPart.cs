namespace Hadal.Graph.Ir;

/// <summary>One matrix of a linear operation, with its bias where the epilogue adds it.</summary>
public sealed record LinearPart(WeightSpec Weight, WeightSpec? Bias);
