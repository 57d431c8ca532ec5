namespace Hadal.Formats.Chat.Jinja;

/// <summary>The arguments of a call as written.</summary>
internal sealed record JinjaArguments(JinjaExpr[] Positional, (string Name, JinjaExpr Value)[] Named, JinjaExpr? Spread = null, JinjaExpr? NamedSpread = null)
{
    public static readonly JinjaArguments None = new([], []);
}
