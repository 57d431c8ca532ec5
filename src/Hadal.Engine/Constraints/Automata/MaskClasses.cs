namespace Hadal.Engine.Constraints.Automata;

/// <summary>
/// Which states of a rule allow the same tokens. No token is longer than so many bytes, so states that no text up to that length tells apart are one
/// class, and their masks are computed once: most of the thousand states of a string of up to a thousand characters are like each other.
/// </summary>
/// <remarks>
/// Moore's refinement, stopped after as many rounds as a token has bytes. Calls of rules that may be empty are steps without bytes, so rules
/// with such calls are refined to the end. Each round looks only at states before those that changed class in the last one.
/// </remarks>
internal static class MaskClasses
{
    /// <summary>For each state the lowest state of its class.</summary>
    public static int[] Of(RuleAutomaton rule, int maxTokenBytes, bool[] isNullable, AutomatonBudget budget)
    {
        List<RuleAutomaton.State> states = rule.States;
        var refinement = new Refinement(states, budget);
        bool mayStep = states.Exists(s => s.Calls.Exists(c => isNullable[c.Rule]));
        int maxRounds = mayStep ? int.MaxValue : maxTokenBytes;
        for (int round = 0; round < maxRounds && refinement.Round(); round++)
        {
        }

        var lowest = new Dictionary<int, int>();
        return [.. refinement.Classes.Select((c, i) => lowest.TryAdd(c, i) ? i : lowest[c])];
    }

    private sealed class Refinement
    {
        private readonly List<RuleAutomaton.State> _states;
        private readonly AutomatonBudget _budget;
        private readonly List<int>[] _predecessors;

        // What those of a class have in common, and how many they are.
        private readonly List<(Signature? Signature, int Count)> _known = [default, default];
        private HashSet<int> _affected;

        public Refinement(List<RuleAutomaton.State> states, AutomatonBudget budget)
        {
            _states = states;
            _budget = budget;
            _predecessors = Predecessors(states);
            _affected = [.. Enumerable.Range(0, states.Count)];
            Classes = [.. states.Select(s => s.IsFinal ? 1 : 0)];
            foreach (int c in Classes)
                _known[c] = (null, _known[c].Count + 1);
        }

        public int[] Classes { get; }

        /// <returns>False if nothing changed, nor ever will.</returns>
        public bool Round()
        {
            var groups = new Dictionary<Signature, int>();
            foreach ((int name, int count) in _affected.CountBy(s => Classes[s]))
            {
                // States that are not affected still have the signature of their class, and whoever still shares it stays with them.
                if (count < _known[name].Count)
                    groups.Add(_known[name].Signature!.Value, name);
                else
                    _known[name] = (null, count);
            }

            var renamed = new List<(int State, int Class)>();
            foreach (int state in _affected)
            {
                _budget.AddWork(_states[state].Ranges.Count + 1);
                int own = Classes[state];
                Signature signature = Signature.Of(_states[state], Classes, own);
                if (!groups.TryGetValue(signature, out int name))
                {
                    if (_known[own].Signature is null)
                    {
                        name = own;
                        _known[own] = (signature, _known[own].Count);
                    }
                    else
                    {
                        name = _known.Count;
                        _known.Add((signature, 0));
                    }

                    groups.Add(signature, name);
                }

                if (name != own)
                    renamed.Add((state, name));
            }

            // Only now: the signatures of a round speak of the classes before it.
            _affected = [];
            foreach ((int state, int name) in renamed)
            {
                _known[Classes[state]] = (_known[Classes[state]].Signature, _known[Classes[state]].Count - 1);
                _known[name] = (_known[name].Signature!.Value with { Class = name }, _known[name].Count + 1);
                Classes[state] = name;
                _affected.UnionWith(_predecessors[state]);
            }

            return _affected.Count > 0;
        }
    }

    private static List<int>[] Predecessors(List<RuleAutomaton.State> states)
    {
        var predecessors = new List<int>[states.Count];
        for (int i = 0; i < predecessors.Length; i++)
            predecessors[i] = [];
        for (int i = 0; i < predecessors.Length; i++)
        {
            foreach ((_, _, int target) in states[i].Ranges)
                predecessors[target].Add(i);
            foreach ((_, int target) in states[i].Calls)
                predecessors[target].Add(i);
            foreach ((_, int target) in states[i].Tokens)
                predecessors[target].Add(i);
        }

        return predecessors;
    }

    /// <summary>A state's class and where its edges go, in classes.</summary>
    private readonly record struct Signature(int Class, int[] Edges)
    {
        public static Signature Of(RuleAutomaton.State state, int[] classes, int own)
        {
            var edges = new List<int>((3 * state.Ranges.Count) + 2);
            int lastOfRun = -2, classOfRun = -1;
            foreach ((int first, int last, int target) in state.Ranges)
            {
                // Neighbouring ranges of one class are one edge, however the states cut them.
                if (first == lastOfRun + 1 && classes[target] == classOfRun)
                {
                    edges[^2] = last;
                }
                else
                {
                    edges.AddRange([first, last, classes[target]]);
                    classOfRun = classes[target];
                }

                lastOfRun = last;
            }

            edges.Add(-1);
            foreach ((int rule, int target) in state.Calls)
                edges.AddRange([rule, classes[target]]);
            edges.Add(-1);
            foreach ((int token, int target) in state.Tokens)
                edges.AddRange([token, classes[target]]);
            return new(own, [.. edges]);
        }

        public bool Equals(Signature other) => Class == other.Class && Edges.AsSpan().SequenceEqual(other.Edges);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            hash.Add(Class);
            foreach (int edge in Edges)
                hash.Add(edge);
            return hash.ToHashCode();
        }
    }
}
