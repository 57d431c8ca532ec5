using Hadal.Graph.Execution;

namespace Hadal.Cli.Bench;

/// <summary>A runner lent to an engine, which disposes what it is given.</summary>
internal class BorrowedRunner(IModelRunner runner) : IModelRunner
{
    public int VocabSize => runner.VocabSize;

    public int MaxContextLen => runner.MaxContextLen;

    public int BlockSize => runner.BlockSize;

    public int NumBlocks => runner.NumBlocks;

    /// <summary>As the engine must see it: whether a runner samples or has an MTP layer decides how it is stepped.</summary>
    public static IModelRunner Of(IModelRunner runner) => runner switch
    {
        ISamplingRunner sampling => new Sampling(sampling),
        IMtpRunner mtp => new Mtp(mtp),
        _ => new BorrowedRunner(runner),
    };

    public ReadOnlySpan<float> Run(StepBatch batch) => runner.Run(batch);

    public void Dispose()
    {
    }

    private sealed class Sampling(ISamplingRunner runner) : BorrowedRunner(runner), ISamplingRunner
    {
        public void RunAndSample(StepBatch batch, ReadOnlySpan<RowSampling> rows, Span<int> tokens) => runner.RunAndSample(batch, rows, tokens);

        public ReadOnlySpan<float> FetchLogits(int firstRow, int count) => runner.FetchLogits(firstRow, count);
    }

    private sealed class Mtp(IMtpRunner runner) : BorrowedRunner(runner), IMtpRunner
    {
        public bool HasMtp => runner.HasMtp;

        public ReadOnlySpan<float> RunMtp(StepBatch batch, ReadOnlySpan<int> hiddenRows, bool again) => runner.RunMtp(batch, hiddenRows, again);
    }
}
