namespace Hadal.Graph.Execution;

/// <summary>A runner that chooses tokens where the logits lie, so that only tokens leave the device.</summary>
public interface ISamplingRunner : IModelRunner
{
    /// <summary>Computes the step as <see cref="IModelRunner.Run"/> does and chooses a token from each row.</summary>
    /// <param name="batch">The step.</param>
    /// <param name="rows">One for each logit row.</param>
    /// <param name="tokens">One for each logit row: the token; -1 where the row holds NaN or no finite largest value, or was skipped.</param>
    void RunAndSample(StepBatch batch, ReadOnlySpan<RowSampling> rows, Span<int> tokens);

    /// <summary>Logits of the last step, fetched from the device.</summary>
    /// <returns>[count, VocabSize], valid until the next call of anything here.</returns>
    ReadOnlySpan<float> FetchLogits(int firstRow, int count);
}
