using Hadal.Graph.Ir;

namespace Hadal.Graph.Cuda;

/// <summary>A node bound to its buffers and weights: launches on the step's stream. Allocates nothing.</summary>
/// <param name="Node">The node it was compiled from.</param>
/// <param name="Run">Launches it.</param>
/// <param name="Scratch">What a step of some shape needs beside its values; null for nothing.</param>
internal sealed record CudaOp(Node Node, Action<CudaStep> Run, Func<StepShape, StepScratch>? Scratch = null);
