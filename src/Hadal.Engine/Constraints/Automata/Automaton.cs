namespace Hadal.Engine.Constraints.Automata;

/// <summary>
/// A pushdown automaton over bytes: one deterministic automaton a rule, whose call edges push the state to return to. Immutable but for tables that
/// are filled when first needed; thread-safe.
/// </summary>
internal sealed class Automaton
{
    // A kilobyte each.
    private const int MaxRows = 16 << 10;

    private readonly (int First, int Last, int Target)[][] _ranges;
    private readonly bool[] _isFinal;
    private readonly int[]?[] _rows;
    private int _numRows;

    private Automaton(List<RuleAutomaton> rules, int root, int maxTokenBytes, bool[] isNullable, AutomatonBudget budget)
    {
        var starts = new int[rules.Count];
        int numStates = 0;
        for (int r = 0; r < rules.Count; r++)
        {
            starts[r] = numStates;
            numStates += rules[r].States.Count;
        }

        NumStates = numStates;
        Start = starts[root];
        _ranges = new (int, int, int)[numStates][];
        _isFinal = new bool[numStates];
        _rows = new int[]?[numStates];
        Calls = new (int, int)[numStates][];
        Tokens = new (int, int)[numStates][];
        MaskClass = new int[numStates];
        for (int r = 0; r < rules.Count; r++)
        {
            int[] classes = MaskClasses.Of(rules[r], maxTokenBytes, isNullable, budget);
            for (int i = 0; i < rules[r].States.Count; i++)
            {
                RuleAutomaton.State state = rules[r].States[i];
                int at = starts[r] + i;
                _isFinal[at] = state.IsFinal;
                _ranges[at] = [.. state.Ranges.Select(x => (x.First, x.Last, starts[r] + x.Target))];
                Calls[at] = [.. state.Calls.Select(x => (starts[x.Rule], starts[r] + x.Target))];
                Tokens[at] = [.. state.Tokens.Select(x => (x.Token, starts[r] + x.Target))];
                MaskClass[at] = starts[r] + classes[i];
            }
        }
    }

    public int NumStates { get; }

    public int Start { get; }

    /// <summary>Edges into other rules: the state there, and the one to return to.</summary>
    public (int Start, int Return)[][] Calls { get; }

    public (int Token, int Target)[][] Tokens { get; }

    /// <summary>States of one class allow the same tokens as far as their own rule decides it.</summary>
    public int[] MaskClass { get; }

    /// <exception cref="GrammarException">Too large, left-recursive, or without any text that ends.</exception>
    public static Automaton Compile(GrammarRules rules, GrammarNode.Rule root, int maxTokenBytes)
    {
        var budget = new AutomatonBudget();
        List<int> used = Reachable(rules, root.Index);
        var numbers = used.Index().ToDictionary(x => x.Item, x => x.Index);
        var compiled = new List<RuleAutomaton>(used.Count);
        foreach (int rule in used)
            compiled.Add(new RuleAutomaton(new Nfa(Renumber(rules.Body(rule), numbers), budget), budget));

        bool[] isProductive = Fixpoint(compiled, (rule, known) => rule.CanEnd(known), budget);
        if (!isProductive[0])
            throw new GrammarException($"No text can satisfy it: {Culprit(rules, used, isProductive)} never comes to an end.");
        foreach (RuleAutomaton rule in compiled)
            rule.Trim(isProductive);
        bool[] isNullable = Fixpoint(compiled, (rule, known) => rule.IsNullable(known), budget);
        RefuseLeftRecursion(rules, used, compiled, isNullable);
        if (compiled[0].States[0] is { Ranges.Count: 0, Calls.Count: 0, Tokens.Count: 0 })
            throw new GrammarException("Only the empty text satisfies it.");
        return new Automaton(compiled, 0, maxTokenBytes, isNullable, budget);
    }

    public bool IsFinal(int state) => _isFinal[state];

    public bool ReadsBytes(int state) => _ranges[state].Length > 0;

    /// <summary>Nothing is left to do in its rule, so that a call that returns here need not come back.</summary>
    public bool IsTail(int state) => _isFinal[state] && _ranges[state].Length == 0 && Calls[state].Length == 0 && Tokens[state].Length == 0;

    /// <summary>The state after each byte; -1 for none.</summary>
    public int[] Row(int state)
    {
        if (Volatile.Read(ref _rows[state]) is { } row)
            return row;
        row = new int[256];
        row.AsSpan().Fill(-1);
        foreach ((int first, int last, int target) in _ranges[state])
            row.AsSpan(first, last - first + 1).Fill(target);
        if (Interlocked.Increment(ref _numRows) > MaxRows)
        {
            Array.Clear(_rows);
            Volatile.Write(ref _numRows, 0);
        }

        Volatile.Write(ref _rows[state], row);
        return row;
    }

    private static List<int> Reachable(GrammarRules rules, int root)
    {
        List<int> order = [root];
        var seen = new HashSet<int>(order);
        for (int i = 0; i < order.Count; i++)
            Collect(rules.Body(order[i]));
        return order;

        void Collect(GrammarNode node)
        {
            if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
                throw new GrammarException("It is nested too deeply.");
            switch (node)
            {
                case GrammarNode.Rule rule when seen.Add(rule.Index):
                    order.Add(rule.Index);
                    break;
                case GrammarNode.Sequence sequence:
                    foreach (GrammarNode part in sequence.Parts)
                        Collect(part);
                    break;
                case GrammarNode.Alternatives alternatives:
                    foreach (GrammarNode choice in alternatives.Choices)
                        Collect(choice);
                    break;
                case GrammarNode.Repeat repeat:
                    Collect(repeat.Body);
                    break;
                case GrammarNode.Graph graph:
                    foreach ((_, GrammarNode body, _) in graph.Edges)
                        Collect(body);
                    break;
            }
        }
    }

    private static GrammarNode Renumber(GrammarNode node, Dictionary<int, int> numbers) => node switch
    {
        GrammarNode.Rule rule => new GrammarNode.Rule(numbers[rule.Index]),
        GrammarNode.Sequence sequence => new GrammarNode.Sequence([.. sequence.Parts.Select(p => Renumber(p, numbers))]),
        GrammarNode.Alternatives alternatives => new GrammarNode.Alternatives([.. alternatives.Choices.Select(c => Renumber(c, numbers))]),
        GrammarNode.Graph graph => new GrammarNode.Graph(graph.NumNodes, [.. graph.Edges.Select(e => (e.From, Renumber(e.Body, numbers), e.To))]),
        GrammarNode.Repeat repeat => repeat with { Body = Renumber(repeat.Body, numbers) },
        _ => node,
    };

    private static bool[] Fixpoint(List<RuleAutomaton> rules, Func<RuleAutomaton, bool[], bool> holds, AutomatonBudget budget)
    {
        var known = new bool[rules.Count];
        for (bool changed = true; changed;)
        {
            changed = false;
            // Backwards: rules mostly call those behind them, so that one round is often enough.
            for (int r = rules.Count - 1; r >= 0; r--)
            {
                if (known[r])
                    continue;
                budget.AddWork(rules[r].States.Count);
                if (holds(rules[r], known))
                    known[r] = changed = true;
            }
        }

        return known;
    }

    private static string Culprit(GrammarRules rules, List<int> used, bool[] isProductive)
    {
        // The last one found is the deepest, and says most.
        int deepest = Array.LastIndexOf(isProductive, false);
        return $"'{rules.Name(used[deepest])}'";
    }

    private static void RefuseLeftRecursion(GrammarRules rules, List<int> used, List<RuleAutomaton> compiled, bool[] isNullable)
    {
        int[][] calls = [.. compiled.Select(c => c.LeftCalls(isNullable).Distinct().ToArray())];
        var state = new byte[compiled.Count]; // 0 unseen, 1 on the path, 2 done
        var path = new Stack<(int Rule, int Next)>();
        for (int r = 0; r < compiled.Count; r++)
        {
            if (state[r] != 0)
                continue;
            path.Push((r, 0));
            state[r] = 1;
            while (path.TryPop(out (int Rule, int Next) at))
            {
                if (at.Next == calls[at.Rule].Length)
                {
                    state[at.Rule] = 2;
                    continue;
                }

                path.Push(at with { Next = at.Next + 1 });
                int callee = calls[at.Rule][at.Next];
                if (state[callee] == 1)
                    throw new GrammarException($"The rule '{rules.Name(used[callee])}' calls itself before any text (left recursion). Write it with a repetition, or with the recursion behind some text.");
                if (state[callee] == 0)
                {
                    state[callee] = 1;
                    path.Push((callee, 0));
                }
            }
        }
    }
}
