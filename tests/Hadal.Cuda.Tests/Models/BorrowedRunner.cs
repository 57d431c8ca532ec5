using Hadal.Graph.Execution;

namespace Hadal.Cuda.Tests.Models;

/// <summary>A runner for an engine that disposes its runner, where the runner is to outlive the engine.</summary>
internal sealed class BorrowedRunner(IModelRunner runner) : ISamplingRunner
{
    public int VocabSize => runner.VocabSize;

    public int MaxContextLen => runner.MaxContextLen;

    public int BlockSize => runner.BlockSize;

    public int NumBlocks => runner.NumBlocks;

    public ReadOnlySpan<float> Run(StepBatch batch) => runner.Run(batch);

    public void RunAndSample(StepBatch batch, ReadOnlySpan<RowSampling> rows, Span<int> tokens) => ((ISamplingRunner)runner).RunAndSample(batch, rows, tokens);

    public ReadOnlySpan<float> FetchLogits(int firstRow, int count) => ((ISamplingRunner)runner).FetchLogits(firstRow, count);

    public void Dispose()
    {
    }
}
