namespace Hadal.Formats.Chat.Jinja;

/// <param name="Text">A string literal's value, otherwise the token as written.</param>
internal readonly record struct JinjaToken(JinjaTokenKind Kind, string Text, int Line)
{
    public bool IsOperator(string op) => Kind == JinjaTokenKind.Operator && Text == op;

    public bool IsName(string name) => Kind == JinjaTokenKind.Name && Text == name;
}
