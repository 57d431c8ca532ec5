using Hadal.Engine.Requests;

namespace Hadal.Engine.Speculation;

/// <summary>Guesses what comes next. A wrong guess costs time and never changes an answer. One thread.</summary>
internal interface IDrafter : IDisposable
{
    /// <summary>Looking costs next to nothing: guesses are made for all, and what does not pay is cut afterwards.</summary>
    bool IsFree { get; }

    /// <summary>Adds up to <see cref="DraftState.Limit"/> drafts to each sequence, and takes in what the step before computed.</summary>
    /// <param name="sequences">Those that the last step computed tokens of and that still run.</param>
    void Draft(ReadOnlySpan<Sequence> sequences);

    /// <summary>As <see cref="Draft"/> when nothing is drafted and need not be for a while: whatever the drafter keeps may grow stale.</summary>
    void Skip(ReadOnlySpan<Sequence> sequences);
}
