namespace Hadal.Formats.Chat.Jinja;

/// <summary>Expressions of a template.</summary>
internal abstract record JinjaExpr(int Line)
{
    internal sealed record Literal(object? Value, int Line) : JinjaExpr(Line);

    internal sealed record Name(string Id, int Line) : JinjaExpr(Line);

    internal sealed record ListLiteral(JinjaExpr[] Items, bool IsTuple, int Line) : JinjaExpr(Line);

    internal sealed record DictLiteral((JinjaExpr Key, JinjaExpr Value)[] Items, int Line) : JinjaExpr(Line);

    internal sealed record Attribute(JinjaExpr Target, string Member, int Line) : JinjaExpr(Line);

    internal sealed record Item(JinjaExpr Target, JinjaExpr Key, int Line) : JinjaExpr(Line);

    internal sealed record Slice(JinjaExpr Target, JinjaExpr? Start, JinjaExpr? Stop, JinjaExpr? Step, int Line) : JinjaExpr(Line);

    internal sealed record Call(JinjaExpr Target, JinjaArguments Arguments, int Line) : JinjaExpr(Line);

    internal sealed record Filter(JinjaExpr Target, string Id, JinjaArguments Arguments, int Line) : JinjaExpr(Line);

    internal sealed record Test(JinjaExpr Target, string Id, JinjaArguments Arguments, bool Negated, int Line) : JinjaExpr(Line);

    internal sealed record Unary(string Operator, JinjaExpr Operand, int Line) : JinjaExpr(Line);

    internal sealed record Binary(string Operator, JinjaExpr Left, JinjaExpr Right, int Line) : JinjaExpr(Line);

    /// <summary>a &lt; b &lt;= c: each operand evaluated once, true when all hold.</summary>
    internal sealed record Comparison(JinjaExpr First, (string Operator, JinjaExpr Operand)[] Rest, int Line) : JinjaExpr(Line);

    internal sealed record Conditional(JinjaExpr Condition, JinjaExpr Then, JinjaExpr? Else, int Line) : JinjaExpr(Line);
}
