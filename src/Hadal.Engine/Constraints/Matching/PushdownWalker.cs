using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Matching;

/// <summary>
/// Runs the automaton over bytes from all positions at once, and over the token tree. Positions of a level are closed: calls are entered and
/// finished rules returned from. One thread.
/// </summary>
internal sealed class PushdownWalker(Automaton automaton, TokenVocabulary vocabulary)
{
    // Honest grammars are at a handful of positions at once; each further one costs as much again.
    private const int MaxPositions = 4096;

    private readonly StackArena _stacks = new();
    private Position[] _positions = new Position[64];
    private int _count;
    private int[] _levels = new int[64];
    private int[] _marks = new int[64];

    // Set by Close.
    private bool _atBottom;
    private bool _atUnknown;

    /// <summary>Bytes stepped over, from the first: the measure of work in tests.</summary>
    public long NumSteps { get; private set; }

    public StackArena Stacks => _stacks;

    /// <summary>The closed positions at the grammar's start.</summary>
    public Position[] Begin(out bool canEnd)
    {
        Reset();
        Close(automaton.Start, StackArena.Bottom, 0);
        canEnd = _atBottom;
        return Take();
    }

    /// <returns>The positions behind the bytes; none if they do not fit.</returns>
    public Position[] Step(ReadOnlySpan<Position> from, ReadOnlySpan<byte> bytes, out bool canEnd)
    {
        Reset();
        Load(from);
        int start = 0;
        foreach (byte b in bytes)
        {
            int end = _count;
            StepLevel(start, end, b);
            start = end;
        }

        canEnd = _atBottom;
        _positions.AsSpan(start, _count - start).CopyTo(_positions);
        _count -= start;
        return Take();
    }

    /// <summary>As <see cref="Step"/>, by an edge of a token.</summary>
    public Position[] StepToken(ReadOnlySpan<Position> from, int token, out bool canEnd)
    {
        Reset();
        foreach (Position position in from)
        {
            foreach ((int id, int target) in automaton.Tokens[position.State])
            {
                if (id == token)
                    Close(target, position.Stack, 0);
            }
        }

        canEnd = _atBottom;
        return Take();
    }

    /// <summary>The part of a state's mask that its own rule decides.</summary>
    public PositionMask MaskOf(int state, uint[] scratch)
    {
        Array.Clear(scratch);
        var escapes = new List<int>();
        Reset();
        Load([new Position(state, StackArena.Unknown)]);
        int mark = _stacks.Mark;
        Walk(0, vocabulary.NumNodes, 0, scratch, escapes);
        _stacks.Release(mark);
        return new PositionMask(scratch, [.. escapes]);
    }

    /// <summary>Adds the tokens below the escapes that fit what the stack returns to.</summary>
    public void AddEscapes(int[] escapes, int stack, Span<uint> mask)
    {
        Reset();
        int mark = _stacks.Mark;
        Close(_stacks.State(stack), _stacks.Parent(stack), 0);
        int numFirst = _count;
        foreach (int escape in escapes)
        {
            _count = numFirst;
            Walk(escape + 1, vocabulary.NodeEnds[escape], vocabulary.NodeDepths[escape], mask, escapes: null);
        }

        _stacks.Release(mark);
    }

    private void Walk(int from, int to, int depth, Span<uint> mask, List<int>? escapes)
    {
        ReadOnlySpan<byte> bytes = vocabulary.NodeBytes;
        ReadOnlySpan<ushort> depths = vocabulary.NodeDepths;
        ReadOnlySpan<int> ends = vocabulary.NodeEnds, tokens = vocabulary.NodeTokens, same = vocabulary.NextWithSameBytes;
        _levels[0] = 0;
        int first = _count; // where level 1 begins
        for (int node = from; node < to;)
        {
            int level = depths[node] - depth;
            if (level + 1 >= _levels.Length)
            {
                Array.Resize(ref _levels, 2 * _levels.Length);
                Array.Resize(ref _marks, 2 * _marks.Length);
            }

            // Level l is [_levels[l], _levels[l + 1]); what deeper ones left behind is dropped, and their stacks with it.
            int start = level == 1 ? 0 : _levels[level - 1];
            int end = level == 1 ? first : _levels[level];
            if (_count > end)
            {
                _count = end;
                _stacks.Release(_marks[level]);
            }

            _levels[level] = end;
            _marks[level] = _stacks.Mark;
            StepLevel(start, end, bytes[node]);
            _levels[level + 1] = _count;
            if (_count == end)
            {
                node = ends[node];
                continue;
            }

            for (int token = tokens[node]; token >= 0; token = same[token])
                TokenMask.Allow(mask, token);
            if (_atUnknown && ends[node] > node + 1)
                escapes!.Add(node);
            node++;
        }

        if (_count > first)
        {
            _count = first;
            _stacks.Release(_marks[1]);
        }
    }

    /// <summary>Appends the positions that those in [start, end) have behind the byte.</summary>
    private void StepLevel(int start, int end, byte b)
    {
        _atBottom = _atUnknown = false;
        NumSteps++;
        for (int i = start; i < end; i++)
        {
            Position position = _positions[i];
            int target = automaton.Row(position.State)[b];
            if (target >= 0)
                Close(target, position.Stack, end);
        }
    }

    private void Close(int state, int stack, int levelStart)
    {
        for (int i = levelStart; i < _count; i++)
        {
            if (_positions[i].State == state && _positions[i].Stack == stack)
                return;
        }

        if (_count - levelStart >= MaxPositions)
            throw new GrammarException($"The grammar is too ambiguous: the text can be read in more than {MaxPositions} ways. Rewrite rules that can divide the same text in many ways.");
        if (!System.Runtime.CompilerServices.RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new GrammarException("The grammar calls too many rules before any text.");
        if (_count == _positions.Length)
            Array.Resize(ref _positions, 2 * _count);
        _positions[_count++] = new Position(state, stack);
        foreach ((int start, int target) in automaton.Calls[state])
            Close(start, automaton.IsTail(target) ? stack : _stacks.Intern(target, stack), levelStart);
        if (!automaton.IsFinal(state))
            return;
        if (stack == StackArena.Bottom)
            _atBottom = true;
        else if (stack == StackArena.Unknown)
            _atUnknown = true;
        else
            Close(_stacks.State(stack), _stacks.Parent(stack), levelStart);
    }

    private void Reset()
    {
        _count = 0;
        _atBottom = _atUnknown = false;
    }

    private void Load(ReadOnlySpan<Position> positions)
    {
        if (_positions.Length < positions.Length)
            _positions = new Position[2 * positions.Length];
        positions.CopyTo(_positions);
        _count = positions.Length;
    }

    private Position[] Take() => _positions.AsSpan(0, _count).ToArray();
}
