namespace Hadal.Graph.Execution;

/// <summary>A loaded model on a device with its KV pages: what the engine steps. Not thread-safe: one caller at a time.</summary>
public interface IModelRunner : IDisposable
{
    int VocabSize { get; }

    /// <summary>Longest sequence the model takes, prompt and answer together.</summary>
    int MaxContextLen { get; }

    /// <summary>Tokens per KV page.</summary>
    int BlockSize { get; }

    /// <summary>KV pages there are.</summary>
    int NumBlocks { get; }

    /// <summary>What broke the device for good (a sticky error), for people; null while steps can still succeed. Readable from any thread.</summary>
    string? Failure => null;

    /// <summary>Computes the step's tokens, writing their keys and values to their pages.</summary>
    /// <returns>[NumLogitRows, VocabSize] float32, valid until the next call.</returns>
    ReadOnlySpan<float> Run(StepBatch batch);
}
