using Hadal.Numerics;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>The backtracking stack and the work allowance of one caller; not thread-safe.</summary>
internal sealed class PatternScratch
{
    private const int MaxEntries = 16 << 20;

    // Steps per character that an honest pattern stays far below; a catastrophic one ends here and not next year.
    private const int StepsPerChar = 1024;

    private (int Pc, int Pos, int Floor)[] _stack = new (int, int, int)[64];

    public int Depth { get; set; }

    public long StepsLeft { get; private set; }

    public void Allow(int textLength) => StepsLeft = (long)StepsPerChar * (textLength + 64);

    public void Spend(int steps)
    {
        StepsLeft -= steps;
        if (StepsLeft < 0)
        {
            throw new HadalException("A pre-tokenizer pattern backtracks without end on this text (more than 1024 steps per character); the text is refused.");
        }
    }

    /// <param name="floor">-1: go on at <paramref name="pc"/>. Otherwise a loop that may give back characters down to this position.</param>
    public void Push(int pc, int pos, int floor)
    {
        if (Depth == _stack.Length)
        {
            if (Depth >= MaxEntries) throw new HadalException($"A pre-tokenizer pattern needs more than {MaxEntries} backtracking entries on this text; the text is refused.");
            Array.Resize(ref _stack, Depth * 2);
        }

        _stack[Depth++] = (pc, pos, floor);
    }

    public (int Pc, int Pos, int Floor) Pop() => _stack[--Depth];

    /// <summary>Gives back a stack that one unusual text has blown up.</summary>
    public void Trim()
    {
        if (_stack.Length > 1 << 16) _stack = new (int, int, int)[64];
    }
}
