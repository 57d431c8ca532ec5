using Hadal.Engine.Constraints.Automata;
using Hadal.Engine.Constraints.Matching;

namespace Hadal.Engine.Constraints;

/// <summary>A compiled schema, expression or grammar for one vocabulary. Thread-safe: any number of answers may follow it at once, sharing its masks.</summary>
public sealed class Grammar
{
    // Of masks; beyond it they are dropped and made anew when needed.
    private const int MaxMaskBytes = 64 << 20;

    private readonly PositionMask?[] _masks;
    private int _maskBytes;

    internal Grammar(Automaton automaton, TokenVocabulary vocabulary)
    {
        Automaton = automaton;
        Vocabulary = vocabulary;
        _masks = new PositionMask?[automaton.NumStates];
    }

    /// <summary>States of the automaton: the measure of its memory.</summary>
    public int NumStates => Automaton.NumStates;

    internal Automaton Automaton { get; }

    internal TokenVocabulary Vocabulary { get; }

    /// <summary>The constraint of one answer, from the grammar's beginning.</summary>
    public ITokenConstraint CreateConstraint() => new GrammarConstraint(this);

    internal PositionMask MaskOf(int state, PushdownWalker walker, uint[] scratch)
    {
        int at = Automaton.MaskClass[state];
        if (Volatile.Read(ref _masks[at]) is { } mask)
            return mask;
        mask = walker.MaskOf(state, scratch);
        if (Interlocked.Add(ref _maskBytes, mask.NumBytes) > MaxMaskBytes)
        {
            Array.Clear(_masks);
            Volatile.Write(ref _maskBytes, mask.NumBytes);
        }

        Volatile.Write(ref _masks[at], mask);
        return mask;
    }
}
