using System.Runtime.InteropServices;

namespace Hadal.Engine.Constraints.Automata;

/// <summary>One rule as a nondeterministic automaton (Thompson's construction): edges of byte ranges, of rules, of tokens, and empty ones.</summary>
internal sealed class Nfa
{
    private readonly AutomatonBudget _budget;
    private readonly List<List<Edge>> _edges = [];
    private readonly List<List<int>> _empty = [];

    public Nfa(GrammarNode body, AutomatonBudget budget)
    {
        _budget = budget;
        Start = AddState();
        End = AddState();
        Build(body, Start, End);
    }

    public int Start { get; }

    public int End { get; }

    public int NumStates => _edges.Count;

    public ReadOnlySpan<Edge> EdgesOf(int state) => CollectionsMarshal.AsSpan(_edges[state]);

    public ReadOnlySpan<int> EmptyOf(int state) => CollectionsMarshal.AsSpan(_empty[state]);

    private int AddState()
    {
        _budget.AddState();
        _edges.Add([]);
        _empty.Add([]);
        return _edges.Count - 1;
    }

    private void Build(GrammarNode node, int from, int to)
    {
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new GrammarException("It is nested too deeply.");
        switch (node)
        {
            case GrammarNode.Sequence sequence:
                BuildSequence(sequence.Parts, from, to);
                break;
            case GrammarNode.Alternatives alternatives:
                _budget.AddWork(alternatives.Choices.Count);
                foreach (GrammarNode choice in alternatives.Choices)
                    BuildApart(choice, from, to);
                break;
            case GrammarNode.Repeat repeat:
                BuildRepeat(repeat, from, to);
                break;
            case GrammarNode.Graph graph:
                BuildGraph(graph, from, to);
                break;
            case GrammarNode.Bytes bytes:
                BuildBytes(bytes.Value, from, to);
                break;
            case GrammarNode.Characters characters:
                BuildCharacters(characters.Set, from, to);
                break;
            case GrammarNode.Rule rule:
                _edges[from].Add(new(EdgeKind.Rule, rule.Index, rule.Index, to));
                break;
            case GrammarNode.Token token:
                _edges[from].Add(new(EdgeKind.Token, token.Id, token.Id, to));
                break;
            default:
                throw new InvalidOperationException($"no construction for {node.GetType().Name}");
        }
    }

    /// <summary>Between states of its own, so that a loop in the node cannot be entered from beside it.</summary>
    private void BuildApart(GrammarNode node, int from, int to)
    {
        if (node is GrammarNode.Bytes { Value.Length: > 0 } or GrammarNode.Characters or GrammarNode.Rule or GrammarNode.Token)
        {
            Build(node, from, to);
            return;
        }

        int first = AddState(), last = AddState();
        _empty[from].Add(first);
        Build(node, first, last);
        _empty[last].Add(to);
    }

    private void BuildSequence(IReadOnlyList<GrammarNode> parts, int from, int to)
    {
        if (parts.Count == 0)
        {
            _empty[from].Add(to);
            return;
        }

        for (int i = 0; i < parts.Count; i++)
        {
            int next = i == parts.Count - 1 ? to : AddState();
            Build(parts[i], from, next);
            from = next;
        }
    }

    private void BuildRepeat(GrammarNode.Repeat repeat, int from, int to)
    {
        for (int i = 0; i < repeat.Min; i++)
        {
            int next = AddState();
            Build(repeat.Body, from, next);
            from = next;
        }

        if (repeat.Max is null)
        {
            int loop = AddState();
            _empty[from].Add(loop);
            BuildApart(repeat.Body, loop, loop);
            _empty[loop].Add(to);
            return;
        }

        for (int i = repeat.Min; i < repeat.Max; i++)
        {
            int next = AddState();
            _empty[from].Add(to);
            BuildApart(repeat.Body, from, next);
            from = next;
        }

        _empty[from].Add(to);
    }

    private void BuildGraph(GrammarNode.Graph graph, int from, int to)
    {
        var nodes = new int[graph.NumNodes];
        for (int i = 0; i < nodes.Length; i++)
            nodes[i] = AddState();
        _empty[from].Add(nodes[0]);
        _empty[nodes[^1]].Add(to);
        foreach ((int first, GrammarNode body, int last) in graph.Edges)
        {
            if (body is GrammarNode.Sequence { Parts.Count: 0 })
                _empty[nodes[first]].Add(nodes[last]);
            else
                BuildApart(body, nodes[first], nodes[last]);
        }
    }

    private void BuildBytes(byte[] value, int from, int to)
    {
        if (value.Length == 0)
            _empty[from].Add(to);
        for (int i = 0; i < value.Length; i++)
        {
            int next = i == value.Length - 1 ? to : AddState();
            _edges[from].Add(new(EdgeKind.Bytes, value[i], value[i], next));
            from = next;
        }
    }

    private void BuildCharacters(CodePointSet set, int from, int to)
    {
        // Equal endings of byte sequences share their states: most of Unicode ends in one or two continuation bytes.
        var tails = new Dictionary<string, int>(StringComparer.Ordinal) { [""] = to };
        foreach (string sequence in Utf8Ranges.Of(set))
        {
            int target = to;
            for (int at = sequence.Length - 2; at > 0; at -= 2)
            {
                string tail = sequence[at..];
                if (!tails.TryGetValue(tail, out int state))
                {
                    state = AddState();
                    _edges[state].Add(new(EdgeKind.Bytes, tail[0], tail[1], target));
                    tails[tail] = state;
                }

                target = state;
            }

            _edges[from].Add(new(EdgeKind.Bytes, sequence[0], sequence[1], target));
        }
    }

    internal enum EdgeKind
    {
        Bytes,
        Rule,
        Token,
    }

    /// <param name="Kind">What <paramref name="First"/> and <paramref name="Last"/> are: a range of bytes, or a rule or token twice.</param>
    internal readonly record struct Edge(EdgeKind Kind, int First, int Last, int Target);
}
