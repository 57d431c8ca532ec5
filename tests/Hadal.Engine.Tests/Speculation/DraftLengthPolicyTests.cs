using Hadal.Engine.Requests;
using Hadal.Engine.Speculation;

namespace Hadal.Engine.Tests.Speculation;

public sealed class DraftLengthPolicyTests
{
    private const int Max = 4;

    /// <summary>Plays steps of a machine with the given costs; returns tokens a tick, over that without speculation, once the policy has settled.</summary>
    private static (double SpeedUp, double MeanLength) Play(int numSequences, double acceptance, Func<int, long> stepTicks, long draftTicks, int warm = 300, int steps = 4000)
    {
        var random = new Random(5);
        var policy = new DraftLengthPolicy();
        Sequence[] sequences = [.. Enumerable.Range(0, numSequences).Select(_ => NewSequence())];
        double tokens = 0;
        double ticks = 0;
        double lengths = 0;
        for (int step = 0; step < warm + steps; step++)
        {
            foreach (Sequence s in sequences)
                s.Draft.Limit = Max;
            int chosen = policy.Choose(sequences, Max, out _);
            int rows = numSequences;
            int depth = 0;
            int gained = 0;
            foreach (Sequence s in sequences)
            {
                int length = policy.LengthFor(s.Draft, chosen);
                int accepted = 0;
                while (accepted < length && random.NextDouble() < acceptance)
                    accepted++;
                if (length > 0)
                    policy.NoteVerified(s.Draft, length, accepted);
                rows += length;
                depth = Math.Max(depth, length);
                gained += 1 + accepted;
            }

            long draft = depth * draftTicks;
            if (depth > 0)
                policy.NoteDrafting(numSequences, depth, draft);
            policy.NoteStep(rows, stepTicks(rows));
            if (step < warm)
                continue;
            tokens += gained;
            ticks += stepTicks(rows) + draft;
            lengths += (rows - numSequences) / (double)numSequences;
        }

        return (tokens / ticks / (numSequences / (double)stepTicks(numSequences)), lengths / steps);
    }

    [Fact]
    public void Length_WhereRowsAreFree_IsLong()
    {
        (double speedUp, double length) = Play(1, 0.8, _ => 1000, 20);
        Assert.True(speedUp > 2.5 && length > 3.5, $"{speedUp:0.00} at {length:0.0}");
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(64)]
    public void Length_WhereRowsCostAllThereIs_IsNearlyAlwaysZero(int numSequences)
    {
        // A machine that is bound by computing: twice the rows, twice the time.
        (double speedUp, double length) = Play(numSequences, 0.6, rows => 100L * rows, 30);
        Assert.True(speedUp > 0.98 && length < 0.1, $"{speedUp:0.00} at {length:0.00}");
    }

    [Fact]
    public void Length_WhereGuessesAreWrong_IsNearlyAlwaysZero()
    {
        (double speedUp, double length) = Play(2, 0.02, rows => 1000 + (50L * rows), 200);
        Assert.True(speedUp > 0.98 && length < 0.15, $"{speedUp:0.00} at {length:0.00}");
    }

    [Fact]
    public void Length_Shrinks_AsTheBatchGrows()
    {
        static long Ticks(int rows) => 1000 + (100L * rows);
        double[] lengths = [.. new[] { 1, 4, 16, 64 }.Select(n => Play(n, 0.7, Ticks, 50).MeanLength)];
        Assert.Equal(lengths.OrderDescending(), lengths);
        Assert.True(lengths[0] > 2 && lengths[^1] < 0.5, string.Join(' ', lengths));
    }

    [Fact]
    public void Length_OfASequenceThatGuessesBadly_IsShorterThanTheOthers()
    {
        var policy = new DraftLengthPolicy();
        Sequence good = NewSequence();
        Sequence bad = NewSequence();
        int ofGood = 0;
        int ofBad = 0;
        for (int step = 0; step < 400; step++)
        {
            good.Draft.Limit = bad.Draft.Limit = Max;
            int chosen = policy.Choose([good, bad], Max, out _);
            int a = policy.LengthFor(good.Draft, chosen);
            int b = policy.LengthFor(bad.Draft, chosen);
            if (a > 0)
                policy.NoteVerified(good.Draft, a, a);
            if (b > 0)
                policy.NoteVerified(bad.Draft, b, 0);
            policy.NoteStep(2 + a + b, 1000 + (100 * (2 + a + b)));
            ofGood += step >= 100 ? a : 0;
            ofBad += step >= 100 ? b : 0;
        }

        Assert.True(ofGood > 300 * 3, $"{ofGood} drafts of the good one");
        Assert.True(ofBad < 30, $"{ofBad} drafts of the bad one");
    }

    private static Sequence NewSequence() => new(new Request(new AdmittedRequest
    {
        Id = "test",
        PromptTokens = [1],
        Parameters = new(),
        MaxTokens = 10,
        EndIds = [],
        StopStrings = null,
        CreateDecoder = null,
        CreateConstraint = null,
        Seed = 0,
    }, 0, new RequestClock(TimeProvider.System, TimeSpan.FromSeconds(5))), 0);
}
