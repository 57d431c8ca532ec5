namespace Hadal.Graph.Execution;

public enum LogitsWanted
{
    None,

    /// <summary>Of the last token of the sequence in this step: what sampling needs.</summary>
    Last,

    /// <summary>Of every token: evaluation, prompt log-probabilities.</summary>
    All,
}
