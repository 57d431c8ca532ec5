using System.Runtime.CompilerServices;

namespace Hadal.Formats.Chat.Jinja;

/// <summary>Parses a template; precedence as in Jinja2 3.1, parser.py.</summary>
internal sealed partial class JinjaParser
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
