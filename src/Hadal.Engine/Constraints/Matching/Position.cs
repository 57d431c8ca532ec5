namespace Hadal.Engine.Constraints.Matching;

/// <summary>Where a text stands in the automaton: a state, and the stack it returns to.</summary>
internal readonly record struct Position(int State, int Stack);
