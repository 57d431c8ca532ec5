using Hadal.Engine.Requests;

namespace Hadal.Engine.Speculation;

/// <summary>
/// How many drafts pay. With n sequences, d drafts each and acceptance a(s), a step gives Σ(1 + a + a² + … + a^d) tokens and takes T(n·(1 + d)) for the model
/// and D(n)·d for the drafts, all measured: the d with the most tokens a second is taken, if it beats none by a margin. Of a sequence that guesses worse than
/// the others, drafts whose expected tokens cost more than tokens cost otherwise are cut. One thread; allocates nothing.
/// </summary>
internal sealed class DraftLengthPolicy
{
    private const double PriorAcceptance = 0.7;
    private const double AcceptanceWeight = 0.1;

    // What speculation must promise over none before it is done, so that noise does not turn it on.
    private const double Margin = 1.03;

    // Steps after which the cost of a step without drafts is measured again, and after which a sequence without drafts gets a new chance.
    private const int RefreshSteps = 256;
    private const int RetrySteps = 64;

    private readonly StepCosts _steps = new();
    private readonly StepCosts _drafts = new();
    private readonly double[] _expected = new double[SpeculationOptions.MaxDraftTokensLimit + 1];
    private double _acceptance = PriorAcceptance;
    private int _stepsSinceDrafts;

    /// <summary>Cost of one draft in tokens, at the length chosen last.</summary>
    private double _costInTokens;

    /// <summary>A step that only decoded took so long, sampling included.</summary>
    public void NoteStep(int numRows, long ticks) => _steps.Add(numRows, ticks);

    /// <summary>Drafts for so many sequences, this many runs deep, took so long.</summary>
    public void NoteDrafting(int numSequences, int depth, long ticks) => _drafts.Add(numSequences, ticks / depth);

    /// <summary>Of a sequence's drafts so many were right. Those behind the first wrong one say nothing.</summary>
    public void NoteVerified(DraftState state, int drafted, int accepted)
    {
        int tried = Math.Min(drafted, accepted + 1);
        _stepsSinceDrafts = 0;
        state.StepsWithout = 0;
        for (int i = 0; i < tried; i++)
        {
            double right = i < accepted ? 1 : 0;
            if (state.Acceptance < 0)
                state.Acceptance = _acceptance;
            state.Acceptance += AcceptanceWeight * (right - state.Acceptance);
            _acceptance += 0.2 * AcceptanceWeight * (right - _acceptance);
        }
    }

    /// <summary>Chooses a length for the step to come.</summary>
    /// <param name="sequences">Those that decode; their <see cref="DraftState.Limit"/> is what each may have.</param>
    /// <param name="max">Longest length there may be.</param>
    /// <param name="isRefresh">The answer is 0 only to measure a step without drafts.</param>
    public int Choose(ReadOnlySpan<Sequence> sequences, int max, out bool isRefresh)
    {
        isRefresh = false;
        _steps.Tick();
        _drafts.Tick();
        if (++_stepsSinceDrafts > 1024)
        {
            // Texts change. What was hard to guess a while ago is asked again.
            _acceptance = Math.Max(_acceptance, PriorAcceptance);
            _stepsSinceDrafts = 0;
        }

        int n = sequences.Length;
        if (_steps.Age(n) > RefreshSteps)
        {
            isRefresh = true;
            return 0;
        }

        Expect(sequences, max);
        double bestRate = _expected[0] / Ticks(n, 0) * Margin;
        int best = 0;
        int rows = n;
        double bestTicks = Ticks(n, 0);
        for (int d = 1; d <= max; d++)
        {
            rows += CountWith(sequences, d);
            double ticks = _steps.Predict(rows) + (_drafts.Predict(n) * d);
            // With a clock that stands still everything is free.
            if (ticks > 0 && !(_expected[d] / ticks > bestRate))
                continue;
            bestRate = _expected[d] / Math.Max(ticks, double.Epsilon);
            best = d;
            bestTicks = ticks;
        }

        if (best > 0)
        {
            int drafts = 0;
            for (int d = 1; d <= best; d++)
                drafts += CountWith(sequences, d);
            _costInTokens = drafts == 0 ? 0 : Math.Max(0, bestTicks - Ticks(n, 0)) / drafts / Math.Max(bestTicks, double.Epsilon) * _expected[best];
        }

        return best;
    }

    /// <summary>What the sequence gets of a chosen length.</summary>
    public int LengthFor(DraftState state, int chosen)
    {
        double a = AcceptanceOf(state);
        int length = 0;
        double gain = 1;
        while (length < chosen)
        {
            gain *= a;
            if (gain < _costInTokens)
                break;
            length++;
        }

        if (length > 0 || ++state.StepsWithout < RetrySteps)
            return length;
        state.StepsWithout = 0;
        return Math.Min(1, chosen);
    }

    private double Ticks(int n, int d) => _steps.Predict(n * (1 + d));

    private double AcceptanceOf(DraftState state) => state.Acceptance < 0 ? _acceptance : state.Acceptance;

    private void Expect(ReadOnlySpan<Sequence> sequences, int max)
    {
        Array.Clear(_expected);
        _expected[0] = sequences.Length;
        foreach (Sequence s in sequences)
        {
            double a = AcceptanceOf(s.Draft);
            double gain = 1;
            for (int d = 1; d <= Math.Min(max, s.Draft.Limit); d++)
            {
                gain *= a;
                _expected[d] += gain;
            }
        }

        for (int d = 1; d <= max; d++)
            _expected[d] += _expected[d - 1];
    }

    private static int CountWith(ReadOnlySpan<Sequence> sequences, int length)
    {
        int count = 0;
        foreach (Sequence s in sequences)
            count += s.Draft.Limit >= length ? 1 : 0;
        return count;
    }
}
