namespace Hadal.Engine;

/// <summary>Why an answer ended. Every admitted request ends in exactly one of these.</summary>
public enum FinishReason
{
    /// <summary>An end token, a stop id or a stop string.</summary>
    Stop,

    /// <summary>MaxTokens, or the context is full.</summary>
    Length,

    /// <summary>The caller went away or asked to end it.</summary>
    Cancelled,

    /// <summary>The step failed; the event's Error says how.</summary>
    Error,

    /// <summary>The engine let it go: its deadline passed, or a more urgent request took its place in a full queue. The reader gets the exception that says which.</summary>
    Dropped,
}
