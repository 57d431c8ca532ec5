namespace Hadal.Engine.Speculation;

/// <summary>What speculation knows of one sequence. Touched only by the engine's thread.</summary>
internal sealed class DraftState
{
    /// <summary>Drafts that may be made for the next step.</summary>
    public int Limit { get; set; }

    /// <summary>Drafts that the sequence's constraint has accepted and will take back.</summary>
    public int NumTentative { get; set; }

    /// <summary>Share of the drafts that were right, of late; negative until there was one.</summary>
    public double Acceptance { get; set; } = -1;

    /// <summary>Steps since a draft was last verified.</summary>
    public int StepsWithout { get; set; }

    /// <summary>First position in the drafter's context; -1 for none.</summary>
    public int ContextStart { get; set; } = -1;

    /// <summary>Positions from <see cref="ContextStart"/> to here are in the drafter's pages.</summary>
    public int ContextEnd { get; set; }

    /// <summary>Of the answer so far, for the usage: drafts that were verified, and those of them that became tokens.</summary>
    public int NumDrafted { get; set; }

    public int NumAccepted { get; set; }
}
