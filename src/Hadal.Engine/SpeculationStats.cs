namespace Hadal.Engine;

/// <summary>How drafts fared since the engine started. Position 0 is the first draft of a step.</summary>
/// <param name="DraftedByPosition">Drafts that a step verified.</param>
/// <param name="AcceptedByPosition">Those of them that became tokens of an answer.</param>
/// <param name="DraftSeconds">Seconds spent in making drafts.</param>
/// <param name="HasFailed">The drafter threw; the engine goes on without speculation, and the log says why.</param>
public sealed record SpeculationStats(IReadOnlyList<long> DraftedByPosition, IReadOnlyList<long> AcceptedByPosition, double DraftSeconds, bool HasFailed)
{
    public long Drafted => DraftedByPosition.Sum();

    public long Accepted => AcceptedByPosition.Sum();
}
