namespace Hadal.Cli.Session;

/// <summary>How many tensors are of a type, and their bytes.</summary>
internal sealed record WeightTotal(string Dtype, int Tensors, long Bytes);
