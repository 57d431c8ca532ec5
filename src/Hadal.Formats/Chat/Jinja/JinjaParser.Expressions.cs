using System.Globalization;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>Expressions: by precedence, from the conditional down to names and literals.</summary>
internal sealed partial class JinjaParser
{
    /// <summary>An expression, or a tuple where commas follow.</summary>
    private JinjaExpr ParseTuple(bool withCondition = true, bool inParentheses = false)
    {
        int line = Current.Line;
        var items = new List<JinjaExpr>();
        bool isTuple = false;
        while (!IsTupleEnd())
        {
            items.Add(withCondition ? ParseExpression() : ParseOr());
            if (!TakeOperator(",")) break;
            isTuple = true;
        }

        if (isTuple || (items.Count == 0 && inParentheses)) return new JinjaExpr.ListLiteral([.. items], IsTuple: true, line);
        return items.Count == 1 ? items[0] : throw Unexpected("an expression");
    }

    private bool IsTupleEnd() => Current.Kind is JinjaTokenKind.VariableEnd or JinjaTokenKind.BlockEnd || Current.IsOperator(")");

    private JinjaExpr ParseExpression()
    {
        CheckStack();
        JinjaExpr value = ParseOr();
        while (Current.IsName("if"))
        {
            int line = Current.Line;
            _pos++;
            JinjaExpr test = ParseOr();
            value = new JinjaExpr.Conditional(test, value, TakeName("else") ? ParseExpression() : null, line);
        }

        return value;
    }

    private JinjaExpr ParseOr()
    {
        JinjaExpr left = ParseAnd();
        while (Current.IsName("or")) left = new JinjaExpr.Binary("or", left, Next(ParseAnd, out int line), line);
        return left;
    }

    private JinjaExpr ParseAnd()
    {
        JinjaExpr left = ParseNot();
        while (Current.IsName("and")) left = new JinjaExpr.Binary("and", left, Next(ParseNot, out int line), line);
        return left;
    }

    private JinjaExpr ParseNot()
    {
        CheckStack();
        return Current.IsName("not") ? new JinjaExpr.Unary("not", Next(ParseNot, out int line), line) : ParseComparison();
    }

    private JinjaExpr ParseComparison()
    {
        int line = Current.Line;
        JinjaExpr first = ParseSum();
        var rest = new List<(string, JinjaExpr)>();
        while (true)
        {
            JinjaToken token = Current;
            string? op = token.Kind == JinjaTokenKind.Operator && token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=" ? token.Text
                : token.IsName("in") ? "in"
                : token.IsName("not") && _tokens[_pos + 1].IsName("in") ? "not in"
                : null;
            if (op is null) break;
            _pos += op == "not in" ? 2 : 1;
            rest.Add((op, ParseSum()));
        }

        return rest.Count == 0 ? first : new JinjaExpr.Comparison(first, [.. rest], line);
    }

    private JinjaExpr ParseSum()
    {
        JinjaExpr left = ParseConcat();
        while (Current.IsOperator("+") || Current.IsOperator("-")) left = new JinjaExpr.Binary(Current.Text, left, Next(ParseConcat, out int line), line);
        return left;
    }

    private JinjaExpr ParseConcat()
    {
        JinjaExpr left = ParseProduct();
        while (Current.IsOperator("~")) left = new JinjaExpr.Binary("~", left, Next(ParseProduct, out int line), line);
        return left;
    }

    private JinjaExpr ParseProduct()
    {
        JinjaExpr left = ParsePower();
        while (Current.Kind == JinjaTokenKind.Operator && Current.Text is "*" or "/" or "//" or "%")
        {
            left = new JinjaExpr.Binary(Current.Text, left, Next(ParsePower, out int line), line);
        }

        return left;
    }

    private JinjaExpr ParsePower()
    {
        JinjaExpr left = ParseUnary(withFilters: true);
        while (Current.IsOperator("**")) left = new JinjaExpr.Binary("**", left, Next(() => ParseUnary(withFilters: true), out int line), line);
        return left;
    }

    private JinjaExpr ParseUnary(bool withFilters)
    {
        CheckStack();
        JinjaToken token = Current;
        JinjaExpr value;
        if (token.IsOperator("-") || token.IsOperator("+"))
        {
            _pos++;
            value = new JinjaExpr.Unary(token.Text, ParseUnary(withFilters: false), token.Line);
        }
        else
        {
            value = ParsePrimary();
        }

        value = ParsePostfix(value);
        return withFilters ? ParseFilterChain(value) : value;
    }

    private JinjaExpr ParsePrimary()
    {
        JinjaToken token = Current;
        _pos++;
        switch (token.Kind)
        {
            case JinjaTokenKind.Name:
                return token.Text switch
                {
                    "true" or "True" => new JinjaExpr.Literal(true, token.Line),
                    "false" or "False" => new JinjaExpr.Literal(false, token.Line),
                    "none" or "None" => new JinjaExpr.Literal(null, token.Line),
                    _ => new JinjaExpr.Name(token.Text, token.Line),
                };
            case JinjaTokenKind.String:
                string text = token.Text;
                while (Current.Kind == JinjaTokenKind.String) text += _tokens[_pos++].Text;
                return new JinjaExpr.Literal(text, token.Line);
            case JinjaTokenKind.Integer:
                return long.TryParse(token.Text, NumberStyles.None, CultureInfo.InvariantCulture, out long integer)
                    ? new JinjaExpr.Literal(integer, token.Line)
                    : throw Error($"the number {token.Text} is out of range");
            case JinjaTokenKind.Float:
                return new JinjaExpr.Literal(double.Parse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture), token.Line);
            case JinjaTokenKind.Operator when token.Text == "(":
                JinjaExpr inner = ParseTuple(inParentheses: true);
                ExpectOperator(")");
                return inner;
            case JinjaTokenKind.Operator when token.Text == "[":
                return new JinjaExpr.ListLiteral(ParseItems("]"), IsTuple: false, token.Line);
            case JinjaTokenKind.Operator when token.Text == "{":
                return ParseDict(token.Line);
            default:
                _pos--;
                throw Unexpected("an expression");
        }
    }

    private JinjaExpr[] ParseItems(string close)
    {
        var items = new List<JinjaExpr>();
        while (!TakeOperator(close))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
                if (TakeOperator(close)) break;
            }

            items.Add(ParseExpression());
        }

        return [.. items];
    }

    private JinjaExpr.DictLiteral ParseDict(int line)
    {
        var items = new List<(JinjaExpr, JinjaExpr)>();
        while (!TakeOperator("}"))
        {
            if (items.Count > 0)
            {
                ExpectOperator(",");
                if (TakeOperator("}")) break;
            }

            JinjaExpr key = ParseExpression();
            ExpectOperator(":");
            items.Add((key, ParseExpression()));
        }

        return new JinjaExpr.DictLiteral([.. items], line);
    }

    private JinjaExpr ParsePostfix(JinjaExpr value)
    {
        while (Current.Kind == JinjaTokenKind.Operator)
        {
            int line = Current.Line;
            switch (Current.Text)
            {
                case ".":
                    _pos++;
                    JinjaToken member = Current;
                    if (member.Kind is not (JinjaTokenKind.Name or JinjaTokenKind.Integer)) throw Unexpected("a name behind '.'");
                    _pos++;
                    value = member.Kind == JinjaTokenKind.Name
                        ? new JinjaExpr.Attribute(value, member.Text, line)
                        : new JinjaExpr.Item(value, new JinjaExpr.Literal(long.Parse(member.Text, CultureInfo.InvariantCulture), line), line);
                    break;
                case "[":
                    _pos++;
                    value = ParseSubscript(value, line);
                    break;
                case "(":
                    value = new JinjaExpr.Call(value, ParseArguments(), line);
                    break;
                default:
                    return value;
            }
        }

        return value;
    }

    private JinjaExpr ParseSubscript(JinjaExpr target, int line)
    {
        JinjaExpr? start = Current.IsOperator(":") ? null : ParseExpression();
        if (start is not null && Current.IsOperator(",")) throw Error("a subscript with a comma is not supported");
        if (start is not null && TakeOperator("]")) return new JinjaExpr.Item(target, start, line);
        ExpectOperator(":");
        JinjaExpr? stop = Current.IsOperator(":") || Current.IsOperator("]") ? null : ParseExpression();
        JinjaExpr? step = null;
        if (TakeOperator(":") && !Current.IsOperator("]")) step = ParseExpression();
        ExpectOperator("]");
        return new JinjaExpr.Slice(target, start, stop, step, line);
    }

    private JinjaArguments ParseArguments()
    {
        ExpectOperator("(");
        var positional = new List<JinjaExpr>();
        var named = new List<(string, JinjaExpr)>();
        JinjaExpr? spread = null, namedSpread = null;
        bool first = true;
        while (!TakeOperator(")"))
        {
            if (!first)
            {
                ExpectOperator(",");
                if (TakeOperator(")")) break;
            }

            first = false;
            if (TakeOperator("*"))
            {
                spread = ParseExpression();
            }
            else if (TakeOperator("**"))
            {
                namedSpread = ParseExpression();
            }
            else if (Current.Kind == JinjaTokenKind.Name && _tokens[_pos + 1].IsOperator("="))
            {
                string name = Current.Text;
                _pos += 2;
                named.Add((name, ParseExpression()));
            }
            else
            {
                if (named.Count > 0 || spread is not null) throw Error("a positional argument cannot follow a named one");
                positional.Add(ParseExpression());
            }
        }

        return new JinjaArguments([.. positional], [.. named], spread, namedSpread);
    }

    private JinjaExpr ParseFilterChain(JinjaExpr value)
    {
        while (true)
        {
            if (Current.IsOperator("|")) value = ParseFilters(value);
            else if (Current.IsName("is")) value = ParseTest(value);
            else if (Current.IsOperator("(")) value = new JinjaExpr.Call(value, ParseArguments(), Current.Line);
            else return value;
        }
    }

    private JinjaExpr ParseFilters(JinjaExpr value, bool startsInline = false)
    {
        while (startsInline || TakeOperator("|"))
        {
            startsInline = false;
            int line = Current.Line;
            string name = ParseDottedName();
            value = new JinjaExpr.Filter(value, name, Current.IsOperator("(") ? ParseArguments() : JinjaArguments.None, line);
        }

        return value;
    }

    private JinjaExpr.Test ParseTest(JinjaExpr value)
    {
        int line = Current.Line;
        _pos++;
        bool negated = TakeName("not");
        string name = ParseDottedName();
        JinjaArguments arguments = JinjaArguments.None;
        if (Current.IsOperator("("))
        {
            arguments = ParseArguments();
        }
        else if ((Current.Kind is JinjaTokenKind.Name or JinjaTokenKind.String or JinjaTokenKind.Integer or JinjaTokenKind.Float
                || Current.IsOperator("[") || Current.IsOperator("{"))
            && !(Current.Kind == JinjaTokenKind.Name && Current.Text is "else" or "or" or "and" or "if" or "not" or "in"))
        {
            // One argument without parentheses: "x is divisibleby 3".
            if (Current.IsName("is")) throw Error("tests cannot be chained with 'is'");
            arguments = new JinjaArguments([ParsePostfix(ParsePrimary())], []);
        }

        return new JinjaExpr.Test(value, name, arguments, negated, line);
    }

    private string ParseDottedName()
    {
        string name = ExpectName();
        while (TakeOperator(".")) name += "." + ExpectName();
        return name;
    }
}
