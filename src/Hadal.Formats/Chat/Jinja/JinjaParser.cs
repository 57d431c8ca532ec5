using System.Globalization;
using System.Runtime.CompilerServices;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>Parses a template; precedence as in Jinja2 3.1, parser.py.</summary>
internal sealed class JinjaParser
{
    private readonly List<JinjaToken> _tokens;
    private int _pos;

    private JinjaParser(List<JinjaToken> tokens) => _tokens = tokens;

    private JinjaToken Current => _tokens[_pos];

    public static JinjaStmt[] Parse(string source)
    {
        var parser = new JinjaParser(JinjaLexer.Tokenize(source));
        JinjaStmt[] body = parser.ParseBody();
        if (parser.Current.Kind != JinjaTokenKind.End) throw parser.Unexpected("the end of the template");
        return body;
    }

    /// <summary>Statements up to a block that begins with one of the names, which is left to the caller, or to the end.</summary>
    private JinjaStmt[] ParseBody(params ReadOnlySpan<string> ends)
    {
        CheckStack();
        var body = new List<JinjaStmt>();
        while (true)
        {
            JinjaToken token = Current;
            switch (token.Kind)
            {
                case JinjaTokenKind.End:
                    if (!ends.IsEmpty) throw Error($"the template ends, but {{% {ends[^1]} %}} was expected");
                    return [.. body];
                case JinjaTokenKind.Data:
                    _pos++;
                    body.Add(new JinjaStmt.Text(token.Text, token.Line));
                    break;
                case JinjaTokenKind.VariableBegin:
                    _pos++;
                    body.Add(new JinjaStmt.Print(ParseTuple(), token.Line));
                    Expect(JinjaTokenKind.VariableEnd, "}}");
                    break;
                default:
                    _pos++;
                    if (Current.Kind == JinjaTokenKind.Name && ends.Contains(Current.Text))
                    {
                        _pos--;
                        return [.. body];
                    }

                    body.Add(ParseStatement());
                    break;
            }
        }
    }

    private JinjaStmt ParseStatement()
    {
        JinjaToken tag = Current;
        if (tag.Kind != JinjaTokenKind.Name) throw Unexpected("the name of a statement");
        _pos++;
        switch (tag.Text)
        {
            case "if":
                return ParseIf(tag.Line);
            case "for":
                return ParseFor(tag.Line);
            case "set":
                return ParseSet(tag.Line);
            case "macro":
                return ParseMacro(tag.Line);
            case "call":
                return ParseCallBlock(tag.Line);
            case "filter":
                JinjaExpr filters = ParseFilters(new JinjaExpr.Name(JinjaInterpreter.Captured, tag.Line), startsInline: true);
                EndTag();
                return new JinjaStmt.FilterBlock(filters, ParseBodyAndEnd("endfilter"), tag.Line);
            case "with":
                return ParseWith(tag.Line);
            case "generation":
                EndTag();
                return new JinjaStmt.Generation(ParseBodyAndEnd("endgeneration"), tag.Line);
            case "break":
                EndTag();
                return new JinjaStmt.Break(tag.Line);
            case "continue":
                EndTag();
                return new JinjaStmt.Continue(tag.Line);
            default:
                throw Error($"the statement {{% {tag.Text} %}} is not known here");
        }
    }

    private JinjaStmt.If ParseIf(int line)
    {
        var branches = new List<(JinjaExpr, JinjaStmt[])>();
        JinjaStmt[] otherwise = [];
        JinjaExpr test = ParseTuple(withCondition: false);
        EndTag();
        while (true)
        {
            branches.Add((test, ParseBody("elif", "else", "endif")));
            string end = TakeTagName();
            if (end == "elif")
            {
                test = ParseTuple(withCondition: false);
                EndTag();
                continue;
            }

            EndTag();
            if (end == "else") otherwise = ParseBodyAndEnd("endif");
            return new JinjaStmt.If([.. branches], otherwise, line);
        }
    }

    private JinjaStmt.For ParseFor(int line)
    {
        JinjaExpr target = ParseTarget(withAttributes: false);
        if (!TakeName("in")) throw Unexpected("'in'");
        JinjaExpr source = ParseTuple(withCondition: false);
        JinjaExpr? filter = TakeName("if") ? ParseExpression() : null;
        if (Current.IsName("recursive")) throw Error("recursive loops are not supported");
        EndTag();
        JinjaStmt[] body = ParseBody("else", "endfor");
        JinjaStmt[] otherwise = [];
        string end = TakeTagName();
        EndTag();
        if (end == "else") otherwise = ParseBodyAndEnd("endfor");
        return new JinjaStmt.For(target, source, filter, body, otherwise, line);
    }

    private JinjaStmt ParseSet(int line)
    {
        JinjaExpr target = ParseTarget(withAttributes: true);
        if (TakeOperator("="))
        {
            JinjaExpr value = ParseTuple();
            EndTag();
            return new JinjaStmt.Set(target, value, line);
        }

        JinjaExpr? filters = Current.IsOperator("|") ? ParseFilters(new JinjaExpr.Name(JinjaInterpreter.Captured, line)) : null;
        EndTag();
        return new JinjaStmt.SetBlock(target, filters, ParseBodyAndEnd("endset"), line);
    }

    private JinjaStmt.Macro ParseMacro(int line)
    {
        string name = ExpectName();
        (string, JinjaExpr?)[] parameters = ParseParameters();
        EndTag();
        return new JinjaStmt.Macro(name, parameters, ParseBodyAndEnd("endmacro"), line);
    }

    private (string Name, JinjaExpr? Default)[] ParseParameters()
    {
        var parameters = new List<(string, JinjaExpr?)>();
        ExpectOperator("(");
        while (!TakeOperator(")"))
        {
            if (parameters.Count > 0) ExpectOperator(",");
            parameters.Add((ExpectName(), TakeOperator("=") ? ParseExpression() : null));
        }

        return [.. parameters];
    }

    private JinjaStmt.CallBlock ParseCallBlock(int line)
    {
        (string, JinjaExpr?)[] parameters = Current.IsOperator("(") ? ParseParameters() : [];
        if (ParseExpression() is not JinjaExpr.Call call) throw Error("{% call %} needs a call");
        EndTag();
        return new JinjaStmt.CallBlock(call, new JinjaStmt.Macro("caller", parameters, ParseBodyAndEnd("endcall"), line), line);
    }

    private JinjaStmt.With ParseWith(int line)
    {
        var values = new List<(JinjaExpr, JinjaExpr)>();
        while (Current.Kind != JinjaTokenKind.BlockEnd)
        {
            if (values.Count > 0) ExpectOperator(",");
            JinjaExpr target = ParseTarget(withAttributes: false);
            ExpectOperator("=");
            values.Add((target, ParseExpression()));
        }

        EndTag();
        return new JinjaStmt.With([.. values], ParseBodyAndEnd("endwith"), line);
    }

    private JinjaStmt[] ParseBodyAndEnd(string end)
    {
        JinjaStmt[] body = ParseBody(end);
        TakeTagName();
        EndTag();
        return body;
    }

    private string TakeTagName()
    {
        _pos++;
        return ExpectName();
    }

    private void EndTag() => Expect(JinjaTokenKind.BlockEnd, "%}");

    /// <summary>What can be assigned to: names, tuples of them, and with <c>set</c> a namespace's attribute.</summary>
    private JinjaExpr ParseTarget(bool withAttributes)
    {
        int line = Current.Line;
        var items = new List<JinjaExpr>();
        bool isTuple = false;
        do
        {
            items.Add(ParseTargetItem(withAttributes));
            if (!TakeOperator(",")) break;
            isTuple = true;
        }
        while ((Current.Kind == JinjaTokenKind.Name && !Current.IsName("in")) || Current.IsOperator("("));
        return isTuple ? new JinjaExpr.ListLiteral([.. items], IsTuple: true, line) : items[0];
    }

    private JinjaExpr ParseTargetItem(bool withAttributes)
    {
        int line = Current.Line;
        if (TakeOperator("("))
        {
            JinjaExpr inner = ParseTarget(withAttributes: false);
            ExpectOperator(")");
            return inner;
        }

        string name = ExpectName();
        if (name is "true" or "false" or "none" or "True" or "False" or "None") throw Error($"'{name}' cannot be assigned to");
        JinjaExpr target = new JinjaExpr.Name(name, line);
        return withAttributes && TakeOperator(".") ? new JinjaExpr.Attribute(target, ExpectName(), line) : target;
    }

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

    private JinjaExpr Next(Func<JinjaExpr> parse, out int line)
    {
        line = Current.Line;
        _pos++;
        return parse();
    }

    private bool TakeName(string name)
    {
        if (!Current.IsName(name)) return false;
        _pos++;
        return true;
    }

    private bool TakeOperator(string op)
    {
        if (!Current.IsOperator(op)) return false;
        _pos++;
        return true;
    }

    private string ExpectName()
    {
        if (Current.Kind != JinjaTokenKind.Name) throw Unexpected("a name");
        return _tokens[_pos++].Text;
    }

    private void ExpectOperator(string op)
    {
        if (!TakeOperator(op)) throw Unexpected($"'{op}'");
    }

    private void Expect(JinjaTokenKind kind, string text)
    {
        if (Current.Kind != kind) throw Unexpected($"'{text}'");
        _pos++;
    }

    private JinjaException Unexpected(string expected) => Error($"'{Current.Text}' was found where {expected} was expected");

    private JinjaException Error(string message) => new(message) { Line = Current.Line };

    private void CheckStack()
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack()) throw Error("the template is nested too deeply");
    }
}
