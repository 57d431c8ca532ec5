using System.Globalization;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>
/// Reads a regular expression of the kind that JSON Schema and OpenAI's clients write: literals, classes, groups, alternatives, counts, and anchors at its ends.
/// Classes are ASCII as in ECMAScript. What no automaton can do (look-around, back references, word boundaries) is refused by name.
/// </summary>
internal sealed class RegexParser
{
    public const int MaxLength = 16_384;

    private const int MaxDepth = 200;
    private const int MaxCount = 100_000;

    private static readonly CodePointSet _digits = CodePointSet.Of(('0', '9'));
    private static readonly CodePointSet _word = CodePointSet.Of(('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_'));
    private static readonly CodePointSet _space = CodePointSet.Of((9, 13), (' ', ' '));
    private static readonly CodePointSet _notNewline = CodePointSet.Single('\n').Complement();

    private readonly string _pattern;
    private readonly Func<CodePointSet, GrammarNode> _encode;
    private int _at;

    private RegexParser(string pattern, Func<CodePointSet, GrammarNode> encode)
    {
        _pattern = pattern;
        _encode = encode;
    }

    private bool AtEnd => _at == _pattern.Length;

    /// <param name="pattern">The expression.</param>
    /// <param name="encode">How a character of a set is written.</param>
    /// <param name="search">True: an alternative without anchors matches anywhere in the text; false: all of it, always.</param>
    public static GrammarNode Parse(string pattern, Func<CodePointSet, GrammarNode>? encode = null, bool search = false)
    {
        if (pattern.Length > MaxLength)
            throw new GrammarException($"The regular expression has {pattern.Length} characters; at most {MaxLength} are taken.");
        var parser = new RegexParser(pattern, encode ?? (set => new GrammarNode.Characters(set)));
        return parser.TopLevel(search);
    }

    private GrammarNode TopLevel(bool search)
    {
        GrammarNode anything = new GrammarNode.Repeat(_encode(CodePointSet.All), 0, null);
        var choices = new List<GrammarNode>();
        do
        {
            bool fromStart = Take('^');
            GrammarNode body = Sequence(0, isTopLevel: true);
            bool toEnd = Take('$');
            if (toEnd && !AtEnd && Peek() != '|')
                throw Unsupported("'$' other than at the end of the expression or of one of its outermost alternatives");
            choices.Add(search ? GrammarNode.Of(fromStart ? GrammarNode.Empty : anything, body, toEnd ? GrammarNode.Empty : anything) : body);
        }
        while (Take('|'));
        if (!AtEnd)
            throw Wrong("')' closes no group");
        return GrammarNode.Any([.. choices]);
    }

    private GrammarNode Alternatives(int depth)
    {
        if (depth > MaxDepth)
            throw new GrammarException($"The regular expression is nested deeper than {MaxDepth} groups.");
        var choices = new List<GrammarNode>();
        do
            choices.Add(Sequence(depth, isTopLevel: false));
        while (Take('|'));
        return GrammarNode.Any([.. choices]);
    }

    private GrammarNode Sequence(int depth, bool isTopLevel)
    {
        var parts = new List<GrammarNode>();
        while (!AtEnd && Peek() is not ('|' or ')'))
        {
            if (Peek() == '$' && isTopLevel)
                break;
            parts.Add(Quantified(Atom(depth)));
        }

        return GrammarNode.Of([.. parts]);
    }

    private GrammarNode Quantified(GrammarNode atom)
    {
        bool isQuantified = false;
        while (!AtEnd)
        {
            int start = _at;
            (int Min, int? Max)? count = Take('*') ? (0, null) : Take('+') ? (1, null) : Take('?') ? (0, 1) : Braces();
            if (count is not { } c)
                return atom;
            if (isQuantified)
                throw Wrong($"a quantifier follows another at {start}");
            isQuantified = true;
            if (c.Max < c.Min)
                throw Wrong($"the count at {start} has its larger number first");
            // Lazy: the same texts, found in another order.
            Take('?');
            atom = new GrammarNode.Repeat(atom, c.Min, c.Max);
        }

        return atom;
    }

    /// <summary>{2}, {2,} or {2,5}; null, and nothing taken, where the brace is a character like others.</summary>
    private (int Min, int? Max)? Braces()
    {
        int start = _at;
        if (!Take('{'))
            return null;
        if (Number() is { } min)
        {
            int? max = Take(',') ? Number() : min;
            if (Take('}'))
                return (min, max);
        }

        _at = start;
        return null;
    }

    private int? Number()
    {
        int start = _at;
        int value = 0;
        while (!AtEnd && char.IsAsciiDigit(Peek()))
        {
            value = (value * 10) + (_pattern[_at++] - '0');
            if (value > MaxCount)
                throw Wrong($"the count at {start} is over {MaxCount}");
        }

        return _at == start ? null : value;
    }

    private GrammarNode Atom(int depth)
    {
        char c = _pattern[_at];
        switch (c)
        {
            case '(':
                _at++;
                GroupKind();
                GrammarNode group = Alternatives(depth + 1);
                return Take(')') ? group : throw Wrong("a group is not closed");
            case '[':
                return _encode(Class());
            case '.':
                _at++;
                return _encode(_notNewline);
            case '^':
                throw Unsupported("'^' other than at the beginning of the expression or of one of its outermost alternatives");
            case '$':
                throw Unsupported("'$' within a group");
            case '*' or '+' or '?':
                throw Wrong($"'{c}' at {_at} has nothing to repeat");
            case '{' when Braces() is not null:
                throw Wrong($"the count before {_at} has nothing to repeat");
            case '\\':
                _at++;
                return _encode(Escape(inClass: false));
            default:
                return _encode(CodePointSet.Single(Literal()));
        }
    }

    private void GroupKind()
    {
        if (!Take('?') || Take(':'))
            return;
        if (Take('<') && !AtEnd && Peek() is not ('=' or '!'))
        {
            int close = _pattern.IndexOf('>', _at);
            _at = close < 0 ? throw Wrong("a group's name is not closed") : close + 1;
            return;
        }

        throw Unsupported($"look-around, or an option, in the group at {_at}");
    }

    private CodePointSet Class()
    {
        int start = _at++;
        bool isNegated = Take('^');
        CodePointSet set = CodePointSet.Of();
        bool isFirst = true;
        while (true)
        {
            if (AtEnd)
                throw Wrong($"the class at {start} is not closed");
            if (Peek() == ']' && !isFirst)
                break;
            isFirst = false;
            CodePointSet first = Member();
            if (_at + 1 < _pattern.Length && Peek() == '-' && _pattern[_at + 1] != ']')
            {
                _at++;
                CodePointSet last = Member();
                if (!IsSingle(first) || !IsSingle(last))
                    throw Wrong($"a range of the class at {start} has a class as one of its ends");
                if (first.Ranges[0].First > last.Ranges[0].First)
                    throw Wrong($"a range of the class at {start} has its larger end first");
                first = CodePointSet.Of((first.Ranges[0].First, last.Ranges[0].First));
            }

            set = set.Union(first);
        }

        _at++;
        return isNegated ? set.Complement() : set;
    }

    private CodePointSet Member()
    {
        if (AtEnd)
            throw Wrong("a class is not closed");
        return Take('\\') ? Escape(inClass: true) : CodePointSet.Single(Literal());
    }

    private CodePointSet Escape(bool inClass)
    {
        if (AtEnd)
            throw Wrong("it ends with a backslash");
        char c = _pattern[_at++];
        switch (c)
        {
            case 'd': return _digits;
            case 'D': return _digits.Complement();
            case 'w': return _word;
            case 'W': return _word.Complement();
            case 's': return _space;
            case 'S': return _space.Complement();
            case 'n': return CodePointSet.Single('\n');
            case 'r': return CodePointSet.Single('\r');
            case 't': return CodePointSet.Single('\t');
            case 'f': return CodePointSet.Single('\f');
            case 'v': return CodePointSet.Single('\v');
            case '0' when AtEnd || !char.IsAsciiDigit(Peek()): return CodePointSet.Single(0);
            case 'b' when inClass: return CodePointSet.Single('\b');
            case 'x': return CodePointSet.Single(Hex(2));
            case 'u' when Take('{'):
                int close = _pattern.IndexOf('}', _at);
                int value = close - _at is > 0 and <= 6 ? Hex(close - _at) : throw Wrong("\\u{ has no hexadecimal number behind it");
                _at++;
                return value <= CodePointSet.Last ? CodePointSet.Single(value) : throw Wrong($"\\u{{{value:x}}} is no character");
            case 'u': return CodePointSet.Single(Utf16());
            case 'p' or 'P': throw Unsupported("\\p (Unicode categories)");
            case 'b' or 'B': throw Unsupported("\\b (word boundaries)");
            case 'k' or (>= '0' and <= '9'): throw Unsupported("a back reference");
        }

        if (char.IsAsciiLetter(c))
            throw Unsupported($"\\{c}");
        _at--;
        return CodePointSet.Single(Literal());
    }

    private int Utf16()
    {
        int high = Hex(4);
        if (!char.IsHighSurrogate((char)high))
            return high;
        if (_pattern.AsSpan(_at).StartsWith("\\u"))
        {
            _at += 2;
            int low = Hex(4);
            if (char.IsLowSurrogate((char)low))
                return char.ConvertToUtf32((char)high, (char)low);
        }

        throw Wrong("half a surrogate pair is no character");
    }

    private int Hex(int numDigits)
    {
        if (_at + numDigits > _pattern.Length || !int.TryParse(_pattern.AsSpan(_at, numDigits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
            throw Wrong($"{numDigits} hexadecimal digits are expected at {_at}");
        _at += numDigits;
        return value;
    }

    private int Literal()
    {
        if (!System.Text.Rune.TryGetRuneAt(_pattern, _at, out System.Text.Rune rune))
            throw Wrong("it holds half a surrogate pair");
        _at += rune.Utf16SequenceLength;
        return rune.Value;
    }

    private static bool IsSingle(CodePointSet set) => set.Ranges is [var r] && r.First == r.Last;

    private char Peek() => _pattern[_at];

    private bool Take(char c)
    {
        if (AtEnd || _pattern[_at] != c)
            return false;
        _at++;
        return true;
    }

    private static GrammarException Unsupported(string what) => new($"The regular expression uses {what}, which is not supported.");

    private static GrammarException Wrong(string what) => new($"The regular expression cannot be read: {what}.");
}
