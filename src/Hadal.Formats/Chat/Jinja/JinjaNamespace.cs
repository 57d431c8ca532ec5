namespace Hadal.Formats.Chat.Jinja;

/// <summary>namespace(...): the one thing whose attributes a template can set.</summary>
internal sealed class JinjaNamespace
{
    public Dictionary<string, object?> Attributes { get; } = [];
}
