namespace Hadal.Engine;

/// <summary>How the hidden states of a text's tokens become one vector.</summary>
public enum Pooling
{
    /// <summary>The mean over all tokens.</summary>
    Mean,

    /// <summary>The last token's: the only one that has seen the whole text.</summary>
    Last,
}
