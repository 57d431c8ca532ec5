namespace Hadal.Engine.Stopping;

/// <summary>
/// An Aho-Corasick automaton over a request's stop strings: one step per character, however many strings there are. Immutable, shared by the choices.
/// Source: Aho, Corasick, "Efficient string matching", CACM 18(6), 1975.
/// </summary>
internal sealed class StopStrings
{
    private const int None = -1;

    // State 0 is the root. Children are a list: a state has at most one per stop string, and those are few.
    private readonly char[] _chars;
    private readonly int[] _firstChild;
    private readonly int[] _nextSibling;
    private readonly int[] _failures;
    private readonly int[] _depths;
    private readonly int[] _matches;
    private readonly int[] _holds;
    private readonly IReadOnlyList<string> _strings;

    /// <param name="strings">None of them empty.</param>
    public StopStrings(IReadOnlyList<string> strings)
    {
        _strings = strings;
        int numStates = 1;
        foreach (string s in strings)
            numStates += s.Length;
        _chars = new char[numStates];
        _firstChild = new int[numStates];
        _nextSibling = new int[numStates];
        _failures = new int[numStates];
        _depths = new int[numStates];
        _matches = new int[numStates];
        _holds = new int[numStates];
        Array.Fill(_firstChild, None);
        Array.Fill(_nextSibling, None);
        Array.Fill(_matches, None);
        int used = 1;
        for (int i = 0; i < strings.Count; i++)
        {
            int state = 0;
            foreach (char c in strings[i])
            {
                int child = Child(state, c);
                if (child == None)
                {
                    child = used++;
                    _chars[child] = c;
                    _depths[child] = _depths[state] + 1;
                    _nextSibling[child] = _firstChild[state];
                    _firstChild[state] = child;
                }

                state = child;
            }

            if (_matches[state] == None)
                _matches[state] = i;
            MaxLength = Math.Max(MaxLength, strings[i].Length);
        }

        LinkFailures(used);
    }

    public int MaxLength { get; }

    public int Step(int state, char c)
    {
        while (true)
        {
            int child = Child(state, c);
            if (child != None)
                return child;
            if (state == 0)
                return 0;
            state = _failures[state];
        }
    }

    /// <summary>The longest stop string that ends in this state; null if none does.</summary>
    public string? MatchAt(int state) => _matches[state] == None ? null : _strings[_matches[state]];

    /// <summary>Length of the longest end of the text that may yet become a stop string.</summary>
    public int HoldAt(int state) => _holds[state];

    private int Child(int state, char c)
    {
        int child = _firstChild[state];
        while (child != None && _chars[child] != c)
            child = _nextSibling[child];
        return child;
    }

    private void LinkFailures(int used)
    {
        var queue = new Queue<int>(used);
        queue.Enqueue(0);
        while (queue.TryDequeue(out int state))
        {
            // A state without children is a whole stop string, and only a shorter end of it can go on.
            _holds[state] = _firstChild[state] != None ? _depths[state] : _holds[_failures[state]];
            for (int child = _firstChild[state]; child != None; child = _nextSibling[child])
            {
                _failures[child] = state == 0 ? 0 : Step(_failures[state], _chars[child]);
                if (_matches[child] == None)
                    _matches[child] = _matches[_failures[child]];
                queue.Enqueue(child);
            }
        }
    }
}
