namespace Hadal.Graph.Ir;

/// <summary>What the rows of a value count; known only when a step runs.</summary>
public enum RowSymbol
{
    /// <summary>T: tokens of the step.</summary>
    Tokens,

    /// <summary>L: tokens whose logits are wanted.</summary>
    LogitRows,
}
