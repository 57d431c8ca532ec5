using Hadal.Engine.Requests;
using Hadal.Graph.Execution;

namespace Hadal.Engine.Sampling;

/// <summary>
/// Steps a runner that chooses tokens where the logits lie. Rows that the device cannot choose from (penalties, biases, bans, log-probabilities) are left
/// for the caller to fetch; so are rows it found no token in, whose logits tell why.
/// </summary>
/// <param name="runner">The device.</param>
/// <param name="relaxed">As <see cref="SpeculationOptions.Relaxed"/>.</param>
internal sealed class DeviceSampling(ISamplingRunner runner, float? relaxed = null)
{
    private RowSampling[] _rows = new RowSampling[64];
    private int[] _tokens = new int[64];

    public void Run(StepBatch batch, ReadOnlySpan<Sequence> scheduled)
    {
        int count = batch.NumLogitRows;
        if (_rows.Length < count)
        {
            _rows = new RowSampling[count * 2];
            _tokens = new int[count * 2];
        }

        Span<RowSampling> rows = _rows.AsSpan(0, count);
        rows.Fill(new RowSampling(0, 0, 1, 0, 0, Skip: true));
        foreach (Sequence s in scheduled)
        {
            // Rows of prompt log-probabilities, and a prompt that is not at its end, choose nothing.
            if (s.FirstLogitRow < 0 || s.CollectsPromptLogProbs || !IsPlain(s))
                continue;
            // Behind a draft a constraint may begin, and a relaxed step looks at logits.
            int numRows = s.Sampling.Constraint is null && relaxed is null ? 1 + s.NumScheduledDrafts : s.NumScheduledDrafts == 0 || relaxed is null ? 1 : 0;
            for (int i = 0; i < numRows; i++)
                rows[s.FirstLogitRow + i] = Row(s.Sampling, i);
        }

        runner.RunAndSample(batch, rows, _tokens.AsSpan(0, count));
    }

    public bool TryGetToken(int row, out int token)
    {
        token = _tokens[row];
        return token >= 0;
    }

    public ReadOnlySpan<float> FetchLogits(int firstRow, int count) => runner.FetchLogits(firstRow, count);

    private static bool IsPlain(Sequence s) => !s.Sampling.ChangesLogits && s.Request.Parameters.LogProbs is null && s.Request.MaxTokens > 0;

    /// <param name="ahead">Drafts that come before the token.</param>
    private static RowSampling Row(SamplingState state, int ahead)
    {
        SamplingParams p = state.Parameters;
        double uniform = p.Temperature == 0f ? 0 : Philox.NextDouble(state.Seed, (uint)(state.NumGenerated + ahead), (uint)state.ChoiceIndex);
        return new RowSampling(p.Temperature, p.TopK, p.TopP, p.MinP, uniform);
    }
}
