namespace Hadal.Formats.Chat.Jinja;

/// <summary>A list or a tuple; never changed once made, as the sandbox that transformers renders in wants it.</summary>
internal sealed class JinjaList(List<object?> items, bool isTuple = false)
{
    public List<object?> Items { get; } = items;

    public bool IsTuple { get; } = isTuple;
}
