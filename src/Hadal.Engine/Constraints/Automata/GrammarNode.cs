using System.Text;

namespace Hadal.Engine.Constraints.Automata;

/// <summary>The body of a grammar's rule, before it becomes an automaton.</summary>
internal abstract record GrammarNode
{
    public static GrammarNode Empty { get; } = new Sequence([]);

    /// <summary>Matches no text at all; what is made of it falls away.</summary>
    public static GrammarNode Nothing { get; } = new Alternatives([]);

    public static GrammarNode Text(string text) => new Bytes(Encoding.UTF8.GetBytes(text));

    public static GrammarNode Of(params GrammarNode[] parts) => parts.Length == 1 ? parts[0] : new Sequence(parts);

    public static GrammarNode Any(params GrammarNode[] choices) => choices.Length == 1 ? choices[0] : new Alternatives(choices);

    public static GrammarNode Optional(GrammarNode node) => new Repeat(node, 0, 1);

    public sealed record Sequence(IReadOnlyList<GrammarNode> Parts) : GrammarNode;

    public sealed record Alternatives(IReadOnlyList<GrammarNode> Choices) : GrammarNode;

    /// <summary>As often as from <paramref name="Min"/> to <paramref name="Max"/>; null for no limit.</summary>
    public sealed record Repeat(GrammarNode Body, int Min, int? Max) : GrammarNode;

    public sealed record Bytes(byte[] Value) : GrammarNode;

    /// <summary>One character of the set, in UTF-8.</summary>
    public sealed record Characters(CodePointSet Set) : GrammarNode;

    /// <summary>Nodes and what is read from one to the other; from node 0 to the last one.</summary>
    public sealed record Graph(int NumNodes, IReadOnlyList<(int From, GrammarNode Body, int To)> Edges) : GrammarNode;

    /// <summary>Another rule of the grammar.</summary>
    public sealed record Rule(int Index) : GrammarNode;

    /// <summary>One token by its id: markers that are no text to the tokenizer.</summary>
    public sealed record Token(int Id) : GrammarNode;
}
