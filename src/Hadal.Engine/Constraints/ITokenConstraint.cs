namespace Hadal.Engine.Constraints;

/// <summary>
/// Which tokens may come next in one answer: a grammar, a reasoning budget. Made anew for each choice (<see cref="GenerationRequest.CreateConstraint"/>)
/// and used by the engine's thread alone; several may share what they were compiled from.
/// </summary>
/// <remarks>
/// Every token of the answer is accepted, also while <see cref="IsActive"/> is false, so that a constraint sees where it is to begin.
/// Whoever speculates accepts the tokens it guesses and rolls back those that did not stand.
/// </remarks>
public interface ITokenConstraint
{
    /// <summary>False: any token may come now, and <see cref="Mask"/> must not be asked; a constraint may rest while the model thinks.</summary>
    bool IsActive { get; }

    /// <summary>The text must end here: nothing may follow. The engine ends the answer with <see cref="FinishReason.Stop"/>, also below min_tokens.</summary>
    bool IsComplete { get; }

    /// <summary>
    /// Bit i % 32 of word i / 32 set: token i may come next. End tokens are allowed where the text may end. Covers the vocabulary (words that are
    /// missing at the end ban their tokens), has at least one bit set, and is valid until the next call.
    /// </summary>
    ReadOnlySpan<uint> Mask();

    /// <summary>The next token of the answer.</summary>
    /// <exception cref="InvalidOperationException">The mask does not allow it.</exception>
    void Accept(int token);

    /// <summary>Undoes the last <paramref name="numTokens"/> calls of <see cref="Accept"/>.</summary>
    void Rollback(int numTokens);
}
