using System.Globalization;
using System.Text;
using Hadal.Numerics;

namespace Hadal.Formats.Tokenization.Patterns;

/// <summary>Parses the part of Oniguruma's syntax that pre-tokenizers use; anything else is named and refused.</summary>
internal sealed class PatternParser
{
    // Deep enough for any real pattern, shallow enough for the stack.
    private const int MaxDepth = 64;
    private const int MaxRepeat = 1000;

    private readonly string _pattern;
    private int _pos;
    private int _depth;
    private bool _ignoreCase;

    private PatternParser(string pattern) => _pattern = pattern;

    public static PatternNode Parse(string pattern)
    {
        var parser = new PatternParser(pattern);
        PatternNode node = parser.ParseAlternation();
        if (parser._pos < pattern.Length) throw parser.Unsupported("an unmatched ')'");
        return node;
    }

    private bool AtEnd => _pos >= _pattern.Length;

    private PatternNode ParseAlternation()
    {
        if (++_depth > MaxDepth) throw Unsupported($"groups nested deeper than {MaxDepth}");
        // An isolated option such as (?i) reaches to the end of its group, over the bars too.
        bool outerIgnoreCase = _ignoreCase;
        var items = new List<PatternNode> { ParseSequence() };
        while (!AtEnd && _pattern[_pos] == '|')
        {
            _pos++;
            items.Add(ParseSequence());
        }

        _ignoreCase = outerIgnoreCase;
        _depth--;
        return items.Count == 1 ? items[0] : new PatternNode.Alternation([.. items]);
    }

    private PatternNode ParseSequence()
    {
        var items = new List<PatternNode>();
        while (!AtEnd && _pattern[_pos] is not ('|' or ')'))
        {
            PatternNode? atom = ParseAtom();
            if (atom is null) continue;
            items.Add(ParseQuantifiers(atom));
        }

        return items.Count == 1 ? items[0] : new PatternNode.Sequence([.. items]);
    }

    private PatternNode ParseQuantifiers(PatternNode atom)
    {
        while (!AtEnd)
        {
            int min, max;
            bool interval = false;
            switch (_pattern[_pos])
            {
                case '*':
                    (min, max) = (0, -1);
                    _pos++;
                    break;
                case '+':
                    (min, max) = (1, -1);
                    _pos++;
                    break;
                case '?':
                    (min, max) = (0, 1);
                    _pos++;
                    break;
                case '{' when TryParseInterval(out min, out max):
                    interval = true;
                    break;
                default:
                    return atom;
            }

            var mode = RepeatMode.Greedy;
            if (!AtEnd && _pattern[_pos] == '?')
            {
                mode = RepeatMode.Lazy;
                _pos++;
            }
            else if (!AtEnd && _pattern[_pos] == '+' && !interval)
            {
                // After {n,m} Oniguruma reads '+' as another greedy quantifier.
                mode = RepeatMode.Possessive;
                _pos++;
            }

            if (max < 0 && atom.CanBeEmpty) throw Unsupported("an unlimited repeat of something that can be empty");
            atom = new PatternNode.Repeat(atom, min, max, mode);
        }

        return atom;
    }

    // Oniguruma takes a '{' that opens no interval as a plain character.
    private bool TryParseInterval(out int min, out int max)
    {
        int start = _pos;
        min = max = 0;
        _pos++;
        bool hasMin = TryParseNumber(out min);
        bool hasMax = hasMin;
        max = min;
        if (!AtEnd && _pattern[_pos] == ',')
        {
            _pos++;
            hasMax = TryParseNumber(out max);
            if (!hasMax) max = -1;
        }

        if ((hasMin || hasMax) && !AtEnd && _pattern[_pos] == '}')
        {
            _pos++;
            if (min > MaxRepeat || max > MaxRepeat) throw Unsupported($"a repeat count above {MaxRepeat}");
            if (max >= 0 && max < min) throw Unsupported("a repeat whose maximum is below its minimum");
            return true;
        }

        _pos = start;
        return false;
    }

    private bool TryParseNumber(out int value)
    {
        int start = _pos;
        value = 0;
        while (!AtEnd && char.IsAsciiDigit(_pattern[_pos]) && value <= MaxRepeat) value = (value * 10) + (_pattern[_pos++] - '0');
        return _pos > start;
    }

    private PatternNode? ParseAtom()
    {
        char c = _pattern[_pos];
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                _pos++;
                return new PatternNode.Set(ParseClass());
            case '.':
                _pos++;
                return new PatternNode.Set(CharClass.NotNewline);
            case '^':
                _pos++;
                return new PatternNode.Anchor(PatternOp.LineStart);
            case '$':
                _pos++;
                return new PatternNode.Anchor(PatternOp.LineEnd);
            case '*' or '+' or '?':
                throw Unsupported("a quantifier with nothing to repeat");
            case '\\':
                return ParseEscape();
            default:
                return new PatternNode.Set(CharClass.Single(ReadCodePoint(), _ignoreCase));
        }
    }

    private PatternNode? ParseGroup()
    {
        _pos++;
        if (AtEnd || _pattern[_pos] != '?') return CloseGroup(ParseAlternation());
        _pos++;
        if (AtEnd) throw Unsupported("an unclosed group");
        switch (_pattern[_pos])
        {
            case ':':
                _pos++;
                return CloseGroup(ParseAlternation());
            case '=':
                _pos++;
                return new PatternNode.LookAhead(CloseGroup(ParseAlternation()), Negative: false);
            case '!':
                _pos++;
                return new PatternNode.LookAhead(CloseGroup(ParseAlternation()), Negative: true);
            case '>':
                _pos++;
                return new PatternNode.Atomic(CloseGroup(ParseAlternation()));
            case '<':
                throw Unsupported("look-behind or a named group");
        }

        bool outer = _ignoreCase, on = true;
        for (; !AtEnd; _pos++)
        {
            switch (_pattern[_pos])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case ':':
                    _pos++;
                    PatternNode body = CloseGroup(ParseAlternation());
                    _ignoreCase = outer;
                    return body;
                case ')':
                    _pos++;
                    return null;
                default:
                    throw Unsupported($"group option '{_pattern[_pos]}'");
            }
        }

        throw Unsupported("an unclosed group");
    }

    private PatternNode CloseGroup(PatternNode body)
    {
        if (AtEnd || _pattern[_pos] != ')') throw Unsupported("an unclosed group");
        _pos++;
        return body;
    }

    private PatternNode ParseEscape()
    {
        _pos++;
        if (AtEnd) throw Unsupported("a backslash at the end");
        char c = _pattern[_pos];
        PatternOp? anchor = c switch
        {
            'A' => PatternOp.TextStart,
            'z' => PatternOp.TextEnd,
            'Z' => PatternOp.TextEndOrLastNewline,
            'b' => PatternOp.WordBoundary,
            'B' => PatternOp.NotWordBoundary,
            _ => null,
        };
        if (anchor is { } kind)
        {
            _pos++;
            return new PatternNode.Anchor(kind);
        }

        return new PatternNode.Set(TryParseClassEscape() ?? CharClass.Single(ParseCharEscape(), _ignoreCase));
    }

    /// <summary>At the character behind a backslash: a whole class such as \s or \p{L}, or null when it stands for one character.</summary>
    private CharClass? TryParseClassEscape()
    {
        CharClass? found = _pattern[_pos] switch
        {
            's' => CharClass.Space,
            'S' => CharClass.Space.Negate(),
            'd' => CharClass.Digit,
            'D' => CharClass.Digit.Negate(),
            'w' => CharClass.Word,
            'W' => CharClass.Word.Negate(),
            'h' => CharClass.HexDigit,
            'H' => CharClass.HexDigit.Negate(),
            _ => null,
        };
        if (found is not null)
        {
            _pos++;
            return found;
        }

        if (_pattern[_pos] is not ('p' or 'P')) return null;
        bool negated = _pattern[_pos] == 'P';
        _pos++;
        int close = AtEnd || _pattern[_pos] != '{' ? -1 : _pattern.IndexOf('}', _pos);
        if (close < 0) throw Unsupported("\\p without a name in braces");
        ReadOnlySpan<char> name = _pattern.AsSpan(_pos + 1, close - _pos - 1);
        if (name.StartsWith("^"))
        {
            negated = !negated;
            name = name[1..];
        }

        uint mask = UnicodeCategories.Parse(name);
        if (mask == 0) throw Unsupported($"the property \\p{{{name}}} (general categories are known)");
        _pos = close + 1;
        return new CharClass([], mask, negated: negated);
    }

    private int ParseCharEscape()
    {
        char c = _pattern[_pos];
        switch (c)
        {
            case 'n':
                _pos++;
                return '\n';
            case 'r':
                _pos++;
                return '\r';
            case 't':
                _pos++;
                return '\t';
            case 'f':
                _pos++;
                return '\f';
            case 'v':
                _pos++;
                return '\v';
            case 'a':
                _pos++;
                return '\a';
            case 'e':
                _pos++;
                return 0x1B;
            case 'u':
                _pos++;
                return ParseHex(4, 4);
            case 'x':
                _pos++;
                if (AtEnd || _pattern[_pos] != '{') return ParseHex(1, 2);
                _pos++;
                int value = ParseHex(1, 6);
                if (AtEnd || _pattern[_pos] != '}') throw Unsupported("an unclosed \\x{");
                _pos++;
                return value;
            default:
                if (char.IsAsciiLetterOrDigit(c)) throw Unsupported($"the escape \\{c}");
                return ReadCodePoint();
        }
    }

    private int ParseHex(int minDigits, int maxDigits)
    {
        int start = _pos;
        while (_pos - start < maxDigits && !AtEnd && char.IsAsciiHexDigit(_pattern[_pos])) _pos++;
        if (_pos - start < minDigits) throw Unsupported("an incomplete hexadecimal escape");
        int value = int.Parse(_pattern.AsSpan(start, _pos - start), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
        return Rune.IsValid(value) ? value : throw Unsupported($"the code point {value:X}, which does not exist");
    }

    private int ReadCodePoint()
    {
        Rune.DecodeFromUtf16(_pattern.AsSpan(_pos), out Rune rune, out int consumed);
        _pos += consumed;
        return rune.Value;
    }

    /// <summary>Behind the '[': everything to the matching ']'.</summary>
    private CharClass ParseClass()
    {
        if (++_depth > MaxDepth) throw Unsupported($"classes nested deeper than {MaxDepth}");
        bool negated = !AtEnd && _pattern[_pos] == '^';
        if (negated) _pos++;
        var ranges = new List<(int Low, int High)>();
        var nested = new List<CharClass>();
        CharClass? left = null;
        bool first = true;
        while (true)
        {
            if (AtEnd) throw Unsupported("an unclosed character class");
            char c = _pattern[_pos];
            if (c == ']' && !first)
            {
                _pos++;
                break;
            }

            first = false;
            if (c == '[')
            {
                if (_pattern.AsSpan(_pos).StartsWith("[:")) throw Unsupported("a POSIX bracket such as [:alpha:]");
                _pos++;
                nested.Add(ParseClass());
                continue;
            }

            if (_pattern.AsSpan(_pos).StartsWith("&&"))
            {
                _pos += 2;
                left = new CharClass([.. ranges], 0, [.. nested], left, ignoreCase: _ignoreCase);
                ranges.Clear();
                nested.Clear();
                continue;
            }

            if (!TryParseClassChar(out int low, out CharClass? whole))
            {
                nested.Add(whole!);
                continue;
            }

            bool isRange = _pos + 1 < _pattern.Length && _pattern[_pos] == '-' && _pattern[_pos + 1] is not (']' or '[');
            if (!isRange)
            {
                ranges.Add((low, low));
                continue;
            }

            _pos++;
            if (!TryParseClassChar(out int high, out _)) throw Unsupported("a range that ends in a class");
            if (high < low) throw Unsupported($"the empty range {low:X}-{high:X}");
            ranges.Add((low, high));
        }

        _depth--;
        return new CharClass([.. ranges], 0, [.. nested], left, negated, _ignoreCase);
    }

    private bool TryParseClassChar(out int codePoint, out CharClass? whole)
    {
        codePoint = 0;
        whole = null;
        if (_pattern[_pos] != '\\')
        {
            codePoint = ReadCodePoint();
            return true;
        }

        _pos++;
        if (AtEnd) throw Unsupported("a backslash at the end");
        whole = TryParseClassEscape();
        if (whole is not null) return false;
        if (_pattern[_pos] == 'b')
        {
            _pos++;
            codePoint = '\b';
            return true;
        }

        codePoint = ParseCharEscape();
        return true;
    }

    private HadalException Unsupported(string what) =>
        new($"The pattern «{(_pattern.Length > 200 ? _pattern[..200] + "…" : _pattern)}» has {what} at character {_pos}, which is not supported.");
}
