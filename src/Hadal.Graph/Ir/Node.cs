namespace Hadal.Graph.Ir;

/// <summary>One operation in the graph.</summary>
/// <param name="op">What it computes.</param>
/// <param name="scope">Where in the model, for people: <c>layers.3.attn</c>.</param>
/// <param name="inputs">Values it reads.</param>
/// <param name="outputs">Values it makes.</param>
public sealed class Node(Op op, string scope, Value[] inputs, Value[] outputs)
{
    public Op Op { get; } = op;

    public string Scope { get; } = scope;

    public Value[] Inputs { get; } = inputs;

    public Value[] Outputs { get; } = outputs;

    public Value Output => Outputs[0];

    public override string ToString()
        => $"{Scope}: {string.Join(", ", (object[])Outputs)} <- {Op.Name}({string.Join(", ", Inputs.Select(i => $"%{i.Id}"))})";
}
