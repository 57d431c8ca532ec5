namespace Hadal.Graph.Ir.Ops;

/// <summary>() → [T, D]: for each token of the step the hidden state that goes with it, of a program that ran before.</summary>
public sealed record PreviousHiddenOp : Op
{
    public override string Name => "previous_hidden";
}
