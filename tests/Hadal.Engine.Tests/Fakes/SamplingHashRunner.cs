using Hadal.Engine.Sampling;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Tests.Fakes;

/// <summary>A <see cref="PagedHashRunner"/> that chooses tokens itself, as a card does, and counts the logits it is asked for.</summary>
internal sealed class SamplingHashRunner(PagedHashRunner inner) : ISamplingRunner
{
    private readonly Sampler _sampler = new(inner.VocabSize);
    private float[] _logits = [];

    public int VocabSize => inner.VocabSize;

    public int MaxContextLen => inner.MaxContextLen;

    public int BlockSize => inner.BlockSize;

    public int NumBlocks => inner.NumBlocks;

    public int NumFetchedRows { get; private set; }

    public int NumChosen { get; private set; }

    public ReadOnlySpan<float> Run(StepBatch batch) => throw new InvalidOperationException("logits are not to leave this device");

    public void RunAndSample(StepBatch batch, ReadOnlySpan<RowSampling> rows, Span<int> tokens)
    {
        _logits = inner.Run(batch).ToArray();
        for (int i = 0; i < rows.Length; i++)
        {
            RowSampling row = rows[i];
            ReadOnlySpan<float> logits = _logits.AsSpan(i * VocabSize, VocabSize);
            bool finite = true;
            foreach (float x in logits)
                finite &= float.IsFinite(x);
            tokens[i] = row.Skip || !finite ? -1 : _sampler.Choose(logits, new() { Temperature = row.Temperature, TopK = row.TopK, TopP = row.TopP, MinP = row.MinP }, row.Uniform);
            NumChosen += tokens[i] >= 0 ? 1 : 0;
        }
    }

    public ReadOnlySpan<float> FetchLogits(int firstRow, int count)
    {
        NumFetchedRows += count;
        return _logits.AsSpan(firstRow * VocabSize, count * VocabSize);
    }

    public void Dispose() => inner.Dispose();
}
