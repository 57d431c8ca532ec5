using System.Runtime.InteropServices;

namespace Hadal.Engine.Constraints.Automata;

/// <summary>One rule as a deterministic automaton over bytes, rules and tokens (subset construction); state 0 is its start.</summary>
internal sealed class RuleAutomaton
{
    private readonly List<State> _states = [];

    public RuleAutomaton(Nfa nfa, AutomatonBudget budget)
    {
        var ids = new Dictionary<int[], int>(SetComparer.Instance);
        var sets = new List<int[]>();
        var scratch = new Closure(nfa, budget);
        Intern(scratch.Of([nfa.Start]));
        for (int i = 0; i < sets.Count; i++)
        {
            int[] set = sets[i];
            var state = new State { IsFinal = Array.BinarySearch(set, nfa.End) >= 0 };
            _states.Add(state);
            AddBytes(nfa, set, state);
            AddNamed(nfa, set, Nfa.EdgeKind.Rule, state.Calls);
            AddNamed(nfa, set, Nfa.EdgeKind.Token, state.Tokens);
        }

        void AddBytes(Nfa nfa, int[] set, State state)
        {
            // A sweep over the ends of all ranges: between two neighbouring ones the targets are the same.
            var edges = new List<Nfa.Edge>();
            var cuts = new SortedSet<int>();
            foreach (int s in set)
            {
                foreach (Nfa.Edge edge in nfa.EdgesOf(s))
                {
                    if (edge.Kind != Nfa.EdgeKind.Bytes)
                        continue;
                    edges.Add(edge);
                    cuts.Add(edge.First);
                    cuts.Add(edge.Last + 1);
                }
            }

            int from = -1;
            var targets = new List<int>();
            foreach (int cut in cuts)
            {
                if (from >= 0)
                {
                    budget.AddWork(edges.Count);
                    targets.Clear();
                    foreach (Nfa.Edge edge in edges)
                    {
                        if (edge.First <= from && edge.Last >= from)
                            targets.Add(edge.Target);
                    }

                    if (targets.Count > 0)
                        AddRange(state, from, cut - 1, Intern(scratch.Of(targets)));
                }

                from = cut;
            }
        }

        void AddNamed(Nfa nfa, int[] set, Nfa.EdgeKind kind, List<(int, int)> into)
        {
            SortedDictionary<int, List<int>>? byName = null;
            foreach (int s in set)
            {
                foreach (Nfa.Edge edge in nfa.EdgesOf(s))
                {
                    if (edge.Kind != kind)
                        continue;
                    byName ??= [];
                    if (!byName.TryGetValue(edge.First, out List<int>? targets))
                        byName[edge.First] = targets = [];
                    targets.Add(edge.Target);
                }
            }

            foreach ((int name, List<int> targets) in byName ?? [])
                into.Add((name, Intern(scratch.Of(targets))));
        }

        int Intern(int[] set)
        {
            if (ids.TryGetValue(set, out int id))
                return id;
            budget.AddState();
            ids[set] = id = sets.Count;
            sets.Add(set);
            return id;
        }
    }

    public List<State> States => _states;

    /// <summary>Takes away what leads nowhere: states from which no end can be reached, given which rules can end at all.</summary>
    public void Trim(bool[] isProductive)
    {
        bool[] alive = Alive(isProductive);
        foreach (State state in _states)
        {
            state.Ranges.RemoveAll(r => !alive[r.Target]);
            state.Tokens.RemoveAll(t => !alive[t.Target]);
            state.Calls.RemoveAll(c => !alive[c.Target] || !isProductive[c.Rule]);
        }
    }

    /// <summary>Whether some text leads from the start to an end, calling only rules known to end.</summary>
    public bool CanEnd(bool[] isProductive) => Alive(isProductive)[0];

    /// <summary>Whether the empty text does.</summary>
    public bool IsNullable(bool[] isNullable) => LeftStates(isNullable).Any(s => _states[s].IsFinal);

    /// <summary>Rules that may be called before any byte is read.</summary>
    public IEnumerable<int> LeftCalls(bool[] isNullable) => LeftStates(isNullable).SelectMany(s => _states[s].Calls).Select(c => c.Rule);

    private List<int> LeftStates(bool[] isNullable)
    {
        var seen = new HashSet<int> { 0 };
        List<int> states = [0];
        for (int i = 0; i < states.Count; i++)
        {
            foreach ((int rule, int target) in _states[states[i]].Calls)
            {
                if (isNullable[rule] && seen.Add(target))
                    states.Add(target);
            }
        }

        return states;
    }

    private bool[] Alive(bool[] isProductive)
    {
        var predecessors = new List<int>[_states.Count];
        for (int i = 0; i < predecessors.Length; i++)
            predecessors[i] = [];
        for (int i = 0; i < _states.Count; i++)
        {
            foreach ((_, _, int target) in _states[i].Ranges)
                predecessors[target].Add(i);
            foreach ((_, int target) in _states[i].Tokens)
                predecessors[target].Add(i);
            foreach ((int rule, int target) in _states[i].Calls)
            {
                if (isProductive[rule])
                    predecessors[target].Add(i);
            }
        }

        var alive = new bool[_states.Count];
        var open = new Stack<int>(Enumerable.Range(0, _states.Count).Where(i => _states[i].IsFinal));
        while (open.TryPop(out int state))
        {
            if (alive[state])
                continue;
            alive[state] = true;
            foreach (int predecessor in predecessors[state])
                open.Push(predecessor);
        }

        return alive;
    }

    private static void AddRange(State state, int first, int last, int target)
    {
        Span<(int First, int Last, int Target)> ranges = CollectionsMarshal.AsSpan(state.Ranges);
        if (ranges.Length > 0 && ranges[^1].Last == first - 1 && ranges[^1].Target == target)
            ranges[^1].Last = last;
        else
            state.Ranges.Add((first, last, target));
    }

    internal sealed class State
    {
        public bool IsFinal { get; init; }

        /// <summary>Sorted, apart.</summary>
        public List<(int First, int Last, int Target)> Ranges { get; } = [];

        public List<(int Rule, int Target)> Calls { get; } = [];

        public List<(int Token, int Target)> Tokens { get; } = [];
    }

    /// <summary>Sets of states reached by empty edges, sorted.</summary>
    private sealed class Closure(Nfa nfa, AutomatonBudget budget)
    {
        private readonly int[] _marks = new int[nfa.NumStates];
        private readonly List<int> _open = [];
        private int _round;

        public int[] Of(List<int> seeds)
        {
            _round++;
            _open.Clear();
            foreach (int seed in seeds)
                Visit(seed);
            for (int i = 0; i < _open.Count; i++)
            {
                foreach (int next in nfa.EmptyOf(_open[i]))
                    Visit(next);
            }

            budget.AddWork(_open.Count);
            // States with nothing but empty edges tell no sets apart.
            int[] set = [.. _open.Where(s => s == nfa.End || nfa.EdgesOf(s).Length > 0)];
            Array.Sort(set);
            return set;
        }

        private void Visit(int state)
        {
            if (_marks[state] == _round)
                return;
            _marks[state] = _round;
            _open.Add(state);
        }
    }

    private sealed class SetComparer : IEqualityComparer<int[]>
    {
        public static SetComparer Instance { get; } = new();

        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] obj)
        {
            var hash = new HashCode();
            hash.AddBytes(MemoryMarshal.AsBytes<int>(obj));
            return hash.ToHashCode();
        }
    }
}
