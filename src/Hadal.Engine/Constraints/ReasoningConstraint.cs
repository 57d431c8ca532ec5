namespace Hadal.Engine.Constraints;

/// <summary>
/// For models that think before they answer: another constraint begins behind the token that closes the thinking, and where a budget is spent
/// nothing but that token may come.
/// </summary>
public sealed class ReasoningConstraint : ITokenConstraint
{
    private const int MaxNewlines = 2;

    private readonly TokenVocabulary _vocabulary;
    private readonly int _openId;
    private readonly int _closeId;
    private readonly int? _budget;
    private readonly ITokenConstraint? _inner;
    private readonly uint[] _mask;
    private readonly List<Place> _places = [];

    /// <param name="vocabulary">The model's.</param>
    /// <param name="openId">The token that begins the thinking.</param>
    /// <param name="closeId">The token that ends it.</param>
    /// <param name="startsInside">The prompt ends amid thinking; else the answer may begin with <paramref name="openId"/>, or be without thinking.</param>
    /// <param name="inner">What the answer behind the thinking is held to; null for nothing.</param>
    /// <param name="budget">Tokens of thinking at the most, the two markers not counted; null for no limit.</param>
    public ReasoningConstraint(TokenVocabulary vocabulary, int openId, int closeId, bool startsInside, ITokenConstraint? inner, int? budget)
    {
        ArgumentNullException.ThrowIfNull(vocabulary);
        _vocabulary = vocabulary;
        _openId = openId;
        _closeId = closeId;
        _inner = inner;
        _budget = budget;
        _mask = new uint[TokenMask.NumWords(Math.Max(vocabulary.NumTokens, Math.Max(openId, closeId) + 1))];
        _places.Add(new(startsInside ? Phase.Thinking : Phase.Undecided, 0, false));
    }

    private enum Phase
    {
        /// <summary>Nothing has come.</summary>
        Undecided,

        Thinking,

        /// <summary>Behind the closing marker, where newlines belong to neither side.</summary>
        Between,

        Answer,
    }

    public bool IsActive => _places[^1].Phase switch
    {
        // An end amid the thinking would leave the answer that is held to something unsaid.
        Phase.Thinking => IsSpent || _inner is not null,
        _ => _inner is { IsActive: true },
    };

    public bool IsComplete => _places[^1].Phase == Phase.Answer && _inner is { IsComplete: true };

    private bool IsSpent => _places[^1].Count >= _budget;

    public ReadOnlySpan<uint> Mask()
    {
        Place place = _places[^1];
        if (place.Phase == Phase.Answer)
            return _inner!.Mask();
        Array.Clear(_mask);
        if (place.Phase == Phase.Thinking && IsSpent)
        {
            TokenMask.Allow(_mask, _closeId);
            return _mask;
        }

        if (place.Phase == Phase.Thinking)
        {
            Array.Fill(_mask, uint.MaxValue);
            foreach (int id in _vocabulary.EndIds)
                TokenMask.Ban(_mask, id);
            return _mask;
        }

        ReadOnlySpan<uint> inner = _inner!.Mask();
        inner.CopyTo(_mask);
        if (place.Phase == Phase.Undecided)
        {
            TokenMask.Allow(_mask, _openId);
        }
        else
        {
            foreach (int id in _vocabulary.Newlines)
            {
                if (IsGap(place, id))
                    TokenMask.Allow(_mask, id);
            }
        }

        return _mask;
    }

    public void Accept(int token)
    {
        Place place = _places[^1];
        switch (place.Phase)
        {
            case Phase.Thinking when token == _closeId:
                _places.Add(new(Phase.Between, 0, false));
                return;
            case Phase.Thinking when IsSpent:
                throw new InvalidOperationException($"The thinking has used its {_budget} tokens; token {token} does not close it.");
            case Phase.Thinking:
                _places.Add(place with { Count = place.Count + 1, IsInner = false });
                return;
            case Phase.Undecided when token == _openId:
                _places.Add(new(Phase.Thinking, 0, false));
                return;
            case Phase.Between when IsGap(place, token):
                _places.Add(place with { Count = place.Count + Length(token), IsInner = false });
                return;
        }

        _inner?.Accept(token);
        _places.Add(new(Phase.Answer, 0, true));
    }

    public void Rollback(int numTokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(numTokens);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(numTokens, _places.Count);
        int first = _places.Count - numTokens;
        int numInner = 0;
        for (int i = first; i < _places.Count; i++)
            numInner += _places[i].IsInner ? 1 : 0;
        _places.RemoveRange(first, numTokens);
        if (numInner > 0)
            _inner?.Rollback(numInner);
    }

    private bool IsGap(Place place, int token) => _vocabulary.Newlines.Contains(token) && place.Count + Length(token) <= MaxNewlines;

    private int Length(int token) => _vocabulary.Tokenizer.TokenBytes(token).Length;

    /// <param name="Phase">Behind the token.</param>
    /// <param name="Count">Tokens of thinking, or newlines between.</param>
    /// <param name="IsInner">The token was the inner constraint's.</param>
    private readonly record struct Place(Phase Phase, int Count, bool IsInner);
}
