namespace Hadal.Formats.Chat.Jinja;

/// <summary>Names and their values; what is not here is looked for further out, what is set stays here.</summary>
internal sealed class JinjaScope(JinjaScope? parent)
{
    private readonly Dictionary<string, object?> _values = [];

    public void Set(string name, object? value) => _values[name] = value;

    public bool TryGet(string name, out object? value)
    {
        for (JinjaScope? scope = this; scope is not null; scope = scope.Parent)
        {
            if (scope._values.TryGetValue(name, out value)) return true;
        }

        value = null;
        return false;
    }

    private JinjaScope? Parent { get; } = parent;
}
