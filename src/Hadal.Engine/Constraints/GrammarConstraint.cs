using Hadal.Engine.Constraints.Automata;
using Hadal.Engine.Constraints.Matching;

namespace Hadal.Engine.Constraints;

/// <summary>Holds one answer to a <see cref="Grammar"/>.</summary>
internal sealed class GrammarConstraint : ITokenConstraint
{
    // Of places in the text that were asked about last; within a string the place stays the same for many tokens.
    private const int MaxMasks = 4;

    private readonly Grammar _grammar;
    private readonly Automaton _automaton;
    private readonly TokenVocabulary _vocabulary;
    private readonly PushdownWalker _walker;
    private readonly List<Place> _places = [];
    private readonly List<(Place Place, uint[] Mask)> _masks = [];
    private uint[]? _scratch;

    public GrammarConstraint(Grammar grammar)
    {
        _grammar = grammar;
        _automaton = grammar.Automaton;
        _vocabulary = grammar.Vocabulary;
        _walker = new PushdownWalker(_automaton, _vocabulary);
        _places.Add(new Place(_walker.Begin(out bool canEnd), canEnd));
    }

    public bool IsActive => true;

    public bool IsComplete => !Array.Exists(_places[^1].Positions, p => _automaton.ReadsBytes(p.State) || _automaton.Tokens[p.State].Length > 0);

    /// <summary>Bytes that the automaton was stepped over so far, for tests.</summary>
    internal long NumSteps => _walker.NumSteps;

    internal bool CanEnd => _places[^1].CanEnd;

    public ReadOnlySpan<uint> Mask()
    {
        Place place = _places[^1];
        for (int i = 0; i < _masks.Count; i++)
        {
            if (!_masks[i].Place.Equals(place))
                continue;
            (Place, uint[]) found = _masks[i];
            if (i > 0)
            {
                _masks.RemoveAt(i);
                _masks.Insert(0, found);
            }

            return found.Item2;
        }

        uint[] mask = _masks.Count < MaxMasks ? new uint[TokenMask.NumWords(_vocabulary.NumTokens)] : _masks[^1].Mask;
        if (_masks.Count == MaxMasks)
            _masks.RemoveAt(MaxMasks - 1);
        Array.Clear(mask);
        Fill(place, mask);
        _masks.Insert(0, (place, mask));
        return mask;
    }

    public void Accept(int token)
    {
        Place place = _places[^1];
        if (place.CanEnd && _vocabulary.IsEnd(token))
        {
            _places.Add(Place.End);
            return;
        }

        bool canEnd;
        Position[] positions = _vocabulary.IsText(token)
            ? _walker.Step(place.Positions, _vocabulary.Tokenizer.TokenBytes(token).Span, out canEnd)
            : _walker.StepToken(place.Positions, token, out canEnd);
        if (positions.Length == 0)
            throw new InvalidOperationException($"The grammar does not allow token {token} as number {_places.Count} of the text.");
        _places.Add(positions.AsSpan().SequenceEqual(place.Positions) && canEnd == place.CanEnd ? place : new Place(positions, canEnd));
    }

    public void Rollback(int numTokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numTokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(numTokens, _places.Count);
        _places.RemoveRange(_places.Count - numTokens, numTokens);
    }

    private void Fill(Place place, uint[] mask)
    {
        foreach (Position position in place.Positions)
        {
            foreach ((int token, _) in _automaton.Tokens[position.State])
            {
                if (token < _vocabulary.NumTokens)
                    TokenMask.Allow(mask, token);
            }

            if (!_automaton.ReadsBytes(position.State))
                continue;
            PositionMask own = _grammar.MaskOf(position.State, _walker, _scratch ??= new uint[mask.Length]);
            own.AddTo(mask);
            // At the bottom nothing follows, so that no token reaches beyond the end of its rule.
            if (position.Stack != StackArena.Bottom && own.Escapes.Length > 0)
                _walker.AddEscapes(own.Escapes, position.Stack, mask);
        }

        if (!place.CanEnd)
            return;
        foreach (int id in _vocabulary.EndIds)
            TokenMask.Allow(mask, id);
    }

    private sealed class Place(Position[] positions, bool canEnd) : IEquatable<Place>
    {
        public static Place End { get; } = new([], true);

        public Position[] Positions => positions;

        public bool CanEnd => canEnd;

        public bool Equals(Place? other) => ReferenceEquals(this, other) || (other is not null && canEnd == other.CanEnd && positions.AsSpan().SequenceEqual(other.Positions));

        public override bool Equals(object? obj) => Equals(obj as Place);

        public override int GetHashCode() => positions.Length;
    }
}
