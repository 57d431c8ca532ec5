namespace Hadal.Engine.Constraints.Automata;

/// <summary>What compiling one grammar may cost at the most; hostile ones end here with an error instead of a server without memory.</summary>
internal sealed class AutomatonBudget
{
    public const int MaxStates = 200_000;

    // Each is a handful of instructions: about a second for the worst of grammars.
    private const long MaxWork = 40_000_000;

    private int _states;
    private long _work;

    public void AddState()
    {
        if (++_states > MaxStates)
            throw new GrammarException($"It needs more than {MaxStates} states. Lower its repeat counts, lengths or number of alternatives.");
    }

    public void AddWork(long amount)
    {
        _work += amount;
        if (_work > MaxWork)
            throw new GrammarException("It takes too long to compile: its alternatives overlap too much, or there are too many of them. Make it simpler.");
    }
}
