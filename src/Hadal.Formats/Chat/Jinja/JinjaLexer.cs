using System.Globalization;
using System.Text;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>Cuts a template into tokens with trim_blocks and lstrip_blocks on, as transformers sets them.</summary>
/// <remarks>
/// White space: the newline right behind a block or comment goes (not behind <c>{{ }}</c>), and so do blanks between the start
/// of a line and a block or comment; <c>-</c> takes all white space on its side, <c>+</c> switches the two rules off.
/// Source: Jinja2 3.1, lexer.py.
/// </remarks>
internal sealed class JinjaLexer
{
    private static readonly string[] Operators =
        ["//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"];

    private readonly string _source;
    private readonly List<JinjaToken> _tokens = [];
    private int _pos;
    private int _line = 1;
    private bool _lineStarting = true;

    private JinjaLexer(string source) => _source = source;

    public static List<JinjaToken> Tokenize(string source)
    {
        // Not ReplaceLineEndings: it would also replace form feeds and Unicode's separators.
        source = source.Replace("\r\n", "\n").Replace('\r', '\n');
        if (source.EndsWith('\n')) source = source[..^1];
        var lexer = new JinjaLexer(source);
        lexer.ReadAll();
        return lexer._tokens;
    }

    private void ReadAll()
    {
        while (_pos < _source.Length)
        {
            int tag = FindTag();
            if (tag < 0)
            {
                Add(JinjaTokenKind.Data, _source[_pos..]);
                break;
            }

            char kind = _source[tag + 1];
            char sign = tag + 2 < _source.Length && _source[tag + 2] is '-' or '+' ? _source[tag + 2] : ' ';
            AddData(_source[_pos..tag], sign, kind);
            int begin = tag + (sign == ' ' ? 2 : 3);
            _pos = begin;
            switch (kind)
            {
                case '#':
                    ReadComment();
                    break;
                case '%' when TryReadRaw():
                    break;
                case '%':
                    Add(JinjaTokenKind.BlockBegin, "{%");
                    ReadCode(JinjaTokenKind.BlockEnd, "%}");
                    break;
                default:
                    Add(JinjaTokenKind.VariableBegin, "{{");
                    ReadCode(JinjaTokenKind.VariableEnd, "}}");
                    break;
            }
        }

        Add(JinjaTokenKind.End, "end of template");
    }

    private int FindTag()
    {
        for (int i = _source.IndexOf('{', _pos); i >= 0 && i + 1 < _source.Length; i = _source.IndexOf('{', i + 1))
        {
            if (_source[i + 1] is '{' or '%' or '#') return i;
        }

        return -1;
    }

    private void AddData(string text, char sign, char kind)
    {
        int newlines = text.AsSpan().Count('\n');
        string kept = text;
        if (sign == '-')
        {
            kept = text.TrimEnd();
        }
        else if (sign != '+' && kind != '{')
        {
            int lineStart = text.LastIndexOf('\n') + 1;
            if ((lineStart > 0 || _lineStarting) && text.AsSpan(lineStart).IsWhiteSpace()) kept = text[..lineStart];
        }

        if (kept.Length > 0) _tokens.Add(new(JinjaTokenKind.Data, kept, _line));
        _line += newlines;
    }

    private void ReadComment()
    {
        int end = _source.IndexOf("#}", _pos, StringComparison.Ordinal);
        if (end < 0) throw Error("a comment that is not closed with #}");
        char sign = end > _pos ? _source[end - 1] : ' ';
        _line += _source.AsSpan(_pos, end - _pos).Count('\n');
        _pos = end + 2;
        AfterTag(sign, trimsNewline: true);
    }

    /// <summary>Behind the end of a tag: drops what its sign and trim_blocks say.</summary>
    private void AfterTag(char sign, bool trimsNewline)
    {
        int begin = _pos;
        if (sign == '-')
        {
            while (_pos < _source.Length && char.IsWhiteSpace(_source[_pos])) _pos++;
        }
        else if (sign != '+' && trimsNewline && _pos < _source.Length && _source[_pos] == '\n')
        {
            _pos++;
        }

        _line += _source.AsSpan(begin, _pos - begin).Count('\n');
        _lineStarting = _pos > begin && _source[_pos - 1] == '\n';
    }

    private bool TryReadRaw()
    {
        int pos = _pos;
        if (!TrySkipWord(ref pos, "raw", out char sign)) return false;
        _line += _source.AsSpan(_pos, pos - _pos).Count('\n');
        _pos = pos;
        AfterTag(sign, trimsNewline: false);
        for (int i = _source.IndexOf("{%", _pos, StringComparison.Ordinal); i >= 0; i = _source.IndexOf("{%", i + 1, StringComparison.Ordinal))
        {
            char endSign = i + 2 < _source.Length && _source[i + 2] is '-' or '+' ? _source[i + 2] : ' ';
            int end = i + (endSign == ' ' ? 2 : 3);
            if (!TrySkipWord(ref end, "endraw", out char afterSign)) continue;
            AddData(_source[_pos..i], endSign, '%');
            _pos = end;
            AfterTag(afterSign, trimsNewline: true);
            return true;
        }

        throw Error("{% raw %} without {% endraw %}");
    }

    private bool TrySkipWord(ref int pos, string word, out char sign)
    {
        int p = pos;
        sign = ' ';
        while (p < _source.Length && char.IsWhiteSpace(_source[p])) p++;
        if (!_source.AsSpan(p).StartsWith(word)) return false;
        p += word.Length;
        while (p < _source.Length && char.IsWhiteSpace(_source[p])) p++;
        if (p < _source.Length && _source[p] is '-' or '+') sign = _source[p++];
        if (!_source.AsSpan(p).StartsWith("%}")) return false;
        pos = p + 2;
        return true;
    }

    private void ReadCode(JinjaTokenKind endKind, string end)
    {
        var open = new Stack<char>();
        while (true)
        {
            while (_pos < _source.Length && char.IsWhiteSpace(_source[_pos])) _line += _source[_pos++] == '\n' ? 1 : 0;
            if (_pos >= _source.Length) throw Error($"a tag that is not closed with {end}");
            // Inside brackets "}}" is two braces.
            if (open.Count == 0)
            {
                char sign = _source[_pos] is '-' || (_source[_pos] is '+' && endKind == JinjaTokenKind.BlockEnd) ? _source[_pos] : ' ';
                int at = _pos + (sign == ' ' ? 0 : 1);
                if (_source.AsSpan(at).StartsWith(end))
                {
                    Add(endKind, end);
                    _pos = at + 2;
                    AfterTag(sign, trimsNewline: endKind == JinjaTokenKind.BlockEnd);
                    return;
                }
            }

            ReadToken(open);
        }
    }

    private void ReadToken(Stack<char> open)
    {
        char c = _source[_pos];
        if (c is '\'' or '"')
        {
            ReadString(c);
        }
        else if (char.IsAsciiDigit(c))
        {
            ReadNumber();
        }
        else if (char.IsLetter(c) || c == '_')
        {
            int start = _pos;
            while (_pos < _source.Length && (char.IsLetterOrDigit(_source[_pos]) || _source[_pos] == '_')) _pos++;
            Add(JinjaTokenKind.Name, _source[start.._pos]);
        }
        else
        {
            string op = Array.Find(Operators, o => _source.AsSpan(_pos).StartsWith(o)) ?? throw Error($"the unexpected character '{c}'");
            switch (c)
            {
                case '(' or '[' or '{':
                    open.Push(c == '(' ? ')' : c == '[' ? ']' : '}');
                    break;
                case ')' or ']' or '}':
                    if (!open.TryPop(out char expected) || expected != c) throw Error($"'{c}' that closes nothing");
                    break;
            }

            Add(JinjaTokenKind.Operator, op);
            _pos += op.Length;
        }
    }

    private void ReadNumber()
    {
        int start = _pos;
        if (_source[_pos] == '0' && _pos + 1 < _source.Length && _source[_pos + 1] is 'x' or 'X')
        {
            _pos += 2;
            while (_pos < _source.Length && (char.IsAsciiHexDigit(_source[_pos]) || _source[_pos] == '_')) _pos++;
            string digits = _source[(start + 2).._pos].Replace("_", string.Empty);
            if (!long.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out long hex)) throw Error($"the number {_source[start.._pos]}, which is out of range");
            Add(JinjaTokenKind.Integer, hex.ToString(CultureInfo.InvariantCulture));
            return;
        }

        SkipDigits();
        bool isFloat = false;
        // "1.foo" is an attribute, and behind a dot ("x.0.5") digits are an index: no fraction there.
        bool behindDot = start > 0 && _source[start - 1] == '.';
        if (!behindDot && _pos + 1 < _source.Length && _source[_pos] == '.' && char.IsAsciiDigit(_source[_pos + 1]))
        {
            isFloat = true;
            _pos++;
            SkipDigits();
        }

        int exponent = _pos + 1 < _source.Length && _source[_pos] is 'e' or 'E' ? _pos + 1 : -1;
        if (exponent > 0 && exponent < _source.Length && _source[exponent] is '+' or '-') exponent++;
        if (!behindDot && exponent > 0 && exponent < _source.Length && char.IsAsciiDigit(_source[exponent]))
        {
            isFloat = true;
            _pos = exponent;
            SkipDigits();
        }

        Add(isFloat ? JinjaTokenKind.Float : JinjaTokenKind.Integer, _source[start.._pos].Replace("_", string.Empty));
    }

    private void SkipDigits()
    {
        while (_pos < _source.Length && (char.IsAsciiDigit(_source[_pos]) || (_source[_pos] == '_' && _pos + 1 < _source.Length && char.IsAsciiDigit(_source[_pos + 1])))) _pos++;
    }

    // Escapes are Python's; an unknown one stays as it is written, backslash included.
    private void ReadString(char quote)
    {
        int line = _line;
        var text = new StringBuilder();
        for (_pos++; ; _pos++)
        {
            if (_pos >= _source.Length) throw Error("a string that is not closed");
            char c = _source[_pos];
            if (c == quote) break;
            if (c == '\n') _line++;
            if (c != '\\')
            {
                text.Append(c);
                continue;
            }

            if (++_pos >= _source.Length) throw Error("a string that is not closed");
            ReadEscape(text);
        }

        _pos++;
        _tokens.Add(new(JinjaTokenKind.String, text.ToString(), line));
    }

    private void ReadEscape(StringBuilder text)
    {
        char c = _source[_pos];
        switch (c)
        {
            case '\n':
                _line++;
                break;
            case '\\' or '\'' or '"':
                text.Append(c);
                break;
            case 'n':
                text.Append('\n');
                break;
            case 't':
                text.Append('\t');
                break;
            case 'r':
                text.Append('\r');
                break;
            case 'a':
                text.Append('\a');
                break;
            case 'b':
                text.Append('\b');
                break;
            case 'f':
                text.Append('\f');
                break;
            case 'v':
                text.Append('\v');
                break;
            case 'x':
                AppendHex(text, 2);
                break;
            case 'u':
                AppendHex(text, 4);
                break;
            case 'U':
                AppendHex(text, 8);
                break;
            case >= '0' and <= '7':
                int value = 0, start = _pos;
                while (_pos < _source.Length && _pos - start < 3 && _source[_pos] is >= '0' and <= '7') value = (value * 8) + (_source[_pos++] - '0');
                _pos--;
                text.Append((char)value);
                break;
            default:
                text.Append('\\').Append(c);
                break;
        }
    }

    private void AppendHex(StringBuilder text, int digits)
    {
        if (_pos + digits >= _source.Length || !int.TryParse(_source.AsSpan(_pos + 1, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            || (digits == 8 && !Rune.IsValid(value)))
        {
            throw Error("a broken escape in a string");
        }

        _pos += digits;
        if (digits == 8) text.Append(new Rune(value).ToString());
        else text.Append((char)value);
    }

    private void Add(JinjaTokenKind kind, string text) => _tokens.Add(new(kind, text, _line));

    private JinjaException Error(string what) => new($"there is {what}") { Line = _line };
}
