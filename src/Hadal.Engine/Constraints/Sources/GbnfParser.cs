using System.Globalization;
using System.Text;
using Hadal.Engine.Constraints.Automata;

namespace Hadal.Engine.Constraints.Sources;

/// <summary>Reads a grammar in the notation of llama.cpp (GBNF): <c>root ::= "yes" | "no" [a-z]{1,3}</c>. The rule named root is the text.</summary>
internal sealed class GbnfParser
{
    public const int MaxLength = 256 << 10;

    private const int MaxDepth = 200;
    private const int MaxCount = 100_000;

    private static readonly CodePointSet _notNewline = CodePointSet.Single('\n').Complement();

    private readonly string _text;
    private readonly GrammarRules _rules;
    private readonly Dictionary<string, GrammarNode.Rule> _byName = new(StringComparer.Ordinal);
    private readonly HashSet<string> _defined = new(StringComparer.Ordinal);
    private int _at;

    private GbnfParser(string text, GrammarRules rules)
    {
        _text = text;
        _rules = rules;
    }

    private bool AtEnd => _at >= _text.Length;

    public static GrammarNode.Rule Parse(string text, GrammarRules rules)
    {
        if (text.Length > MaxLength)
            throw new GrammarException($"The grammar has {text.Length} characters; at most {MaxLength} are taken.");
        var parser = new GbnfParser(text, rules);
        parser.ReadRules();
        foreach (string name in parser._byName.Keys)
        {
            if (!parser._defined.Contains(name))
                throw new GrammarException($"The grammar uses the rule '{name}', which it does not define.");
        }

        return parser._byName.TryGetValue("root", out GrammarNode.Rule? root) ? root : throw new GrammarException("The grammar has no rule named 'root'.");
    }

    private void ReadRules()
    {
        for (SkipSpace(); !AtEnd; SkipSpace())
        {
            string name = Name();
            SkipSpace();
            if (!Take("::="))
                throw Wrong("'::=' is expected");
            if (!_defined.Add(name))
                throw Wrong($"the rule '{name}' is defined twice");
            _rules.Define(RuleOf(name), Alternatives(0));
        }
    }

    private GrammarNode Alternatives(int depth)
    {
        if (depth > MaxDepth)
            throw Wrong($"groups are nested deeper than {MaxDepth}");
        var choices = new List<GrammarNode>();
        do
            choices.Add(Sequence(depth));
        while (Take("|"));
        return GrammarNode.Any([.. choices]);
    }

    private GrammarNode Sequence(int depth)
    {
        var parts = new List<GrammarNode>();
        for (SkipSpace(); !AtEnd && _text[_at] is not ('|' or ')') && !AtRule(); SkipSpace())
            parts.Add(Counted(Item(depth)));
        return GrammarNode.Of([.. parts]);
    }

    private GrammarNode Item(int depth)
    {
        char c = _text[_at];
        if (c == '"')
        {
            _at++;
            var literal = new StringBuilder();
            while (!Take("\""))
                literal.Append(new Rune(Character("a text")).ToString());
            return GrammarNode.Text(literal.ToString());
        }

        if (c == '[')
        {
            _at++;
            return new GrammarNode.Characters(Class());
        }

        if (Take("("))
        {
            GrammarNode group = Alternatives(depth + 1);
            SkipSpace();
            return Take(")") ? group : throw Wrong("')' is expected");
        }

        return Take(".") ? new GrammarNode.Characters(_notNewline) : RuleOf(Name());
    }

    private CodePointSet Class()
    {
        bool isNegated = Take("^");
        CodePointSet set = CodePointSet.Of();
        while (!Take("]"))
        {
            int first = Character("a class");
            int last = first;
            if (_at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                last = Character("a class");
                if (last < first)
                    throw Wrong("a range has its larger end first");
            }

            set = set.Union(CodePointSet.Of((first, last)));
        }

        return isNegated ? set.Complement() : set;
    }

    private GrammarNode Counted(GrammarNode item)
    {
        for (SkipSpace(); !AtEnd; SkipSpace())
        {
            if (Take("*"))
                item = new GrammarNode.Repeat(item, 0, null);
            else if (Take("+"))
                item = new GrammarNode.Repeat(item, 1, null);
            else if (Take("?"))
                item = GrammarNode.Optional(item);
            else if (Take("{"))
                item = Braces(item);
            else
                break;
        }

        return item;
    }

    private GrammarNode.Repeat Braces(GrammarNode item)
    {
        SkipSpace();
        int min = Number() ?? throw Wrong("a number is expected");
        SkipSpace();
        int? max = min;
        if (Take(","))
        {
            SkipSpace();
            max = Number();
            SkipSpace();
        }

        if (!Take("}"))
            throw Wrong("'}' is expected");
        return max < min ? throw Wrong("a count has its larger number first") : new GrammarNode.Repeat(item, min, max);
    }

    private int? Number()
    {
        int start = _at;
        int value = 0;
        for (; !AtEnd && char.IsAsciiDigit(_text[_at]); _at++)
        {
            value = (value * 10) + (_text[_at] - '0');
            if (value > MaxCount)
                throw Wrong($"a count is over {MaxCount}");
        }

        return _at == start ? null : value;
    }

    private int Character(string where)
    {
        if (AtEnd)
            throw Wrong($"{where} is not closed");
        if (!Take("\\"))
        {
            if (!Rune.TryGetRuneAt(_text, _at, out Rune rune))
                throw Wrong("half a surrogate pair is no character");
            _at += rune.Utf16SequenceLength;
            return rune.Value;
        }

        if (AtEnd)
            throw Wrong($"{where} is not closed");
        char c = _text[_at++];
        return c switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'x' => Hex(2),
            'u' => Hex(4),
            'U' => Hex(8),
            '"' or '\\' or '[' or ']' or '-' or '^' or '/' => c,
            _ => throw Wrong($"'\\{c}' is no escape"),
        };
    }

    private int Hex(int numDigits)
    {
        if (_at + numDigits > _text.Length || !int.TryParse(_text.AsSpan(_at, numDigits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
            throw Wrong($"{numDigits} hexadecimal digits are expected");
        if (!Rune.IsValid(value))
            throw Wrong($"{value:x} is no character");
        _at += numDigits;
        return value;
    }

    private GrammarNode.Rule RuleOf(string name)
    {
        if (!_byName.TryGetValue(name, out GrammarNode.Rule? rule))
            _byName[name] = rule = _rules.Declare(name);
        return rule;
    }

    private string Name()
    {
        int start = _at;
        while (!AtEnd && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '-' or '_'))
            _at++;
        return _at > start ? _text[start.._at] : throw Wrong(AtEnd ? "it ends where a rule's name is expected" : $"a rule's name is expected, not '{_text[_at]}'");
    }

    /// <summary>Whether the next rule begins here: a sequence may go on over the end of its line.</summary>
    private bool AtRule()
    {
        int start = _at;
        while (!AtEnd && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '-' or '_'))
            _at++;
        bool isRule = false;
        if (_at > start)
        {
            SkipSpace();
            isRule = _text.AsSpan(Math.Min(_at, _text.Length)).StartsWith("::=");
        }

        _at = start;
        return isRule;
    }

    private void SkipSpace()
    {
        while (!AtEnd)
        {
            if (_text[_at] == '#')
            {
                int end = _text.IndexOf('\n', _at);
                _at = end < 0 ? _text.Length : end;
            }
            else if (char.IsWhiteSpace(_text[_at]))
            {
                _at++;
            }
            else
            {
                return;
            }
        }
    }

    private bool Take(string what)
    {
        if (!_text.AsSpan(Math.Min(_at, _text.Length)).StartsWith(what))
            return false;
        _at += what.Length;
        return true;
    }

    private GrammarException Wrong(string what)
        => new($"The grammar cannot be read in line {_text.AsSpan(0, Math.Min(_at, _text.Length)).Count('\n') + 1}: {what}.");
}
