namespace Hadal.Graph.Execution;

/// <summary>A runner with LoRA adapters: sequences of a step may each have another one, or none.</summary>
public interface IAdapterRunner : IModelRunner
{
    /// <summary>Names of the adapters; number i + 1 in a <see cref="StepBatch"/> is the i-th. 0 is none.</summary>
    IReadOnlyList<string> Adapters { get; }
}
