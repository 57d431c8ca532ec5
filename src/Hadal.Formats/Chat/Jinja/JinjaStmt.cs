namespace Hadal.Formats.Chat.Jinja;

/// <summary>Statements of a template.</summary>
internal abstract record JinjaStmt(int Line)
{
    internal sealed record Text(string Value, int Line) : JinjaStmt(Line);

    internal sealed record Print(JinjaExpr Value, int Line) : JinjaStmt(Line);

    internal sealed record If((JinjaExpr Test, JinjaStmt[] Body)[] Branches, JinjaStmt[] Else, int Line) : JinjaStmt(Line);

    internal sealed record For(JinjaExpr Target, JinjaExpr Source, JinjaExpr? Filter, JinjaStmt[] Body, JinjaStmt[] Else, int Line) : JinjaStmt(Line);

    internal sealed record Set(JinjaExpr Target, JinjaExpr Value, int Line) : JinjaStmt(Line);

    /// <param name="Filters">Applied to <see cref="JinjaInterpreter.Captured"/>, or null.</param>
    internal sealed record SetBlock(JinjaExpr Target, JinjaExpr? Filters, JinjaStmt[] Body, int Line) : JinjaStmt(Line);

    internal sealed record FilterBlock(JinjaExpr Filters, JinjaStmt[] Body, int Line) : JinjaStmt(Line);

    internal sealed record With((JinjaExpr Target, JinjaExpr Value)[] Values, JinjaStmt[] Body, int Line) : JinjaStmt(Line);

    internal sealed record Macro(string Name, (string Name, JinjaExpr? Default)[] Parameters, JinjaStmt[] Body, int Line) : JinjaStmt(Line);

    internal sealed record CallBlock(JinjaExpr.Call Call, Macro Caller, int Line) : JinjaStmt(Line);

    internal sealed record Break(int Line) : JinjaStmt(Line);

    internal sealed record Continue(int Line) : JinjaStmt(Line);

    /// <summary>{% generation %}: marks what training learns from; renders its body.</summary>
    internal sealed record Generation(JinjaStmt[] Body, int Line) : JinjaStmt(Line);
}
