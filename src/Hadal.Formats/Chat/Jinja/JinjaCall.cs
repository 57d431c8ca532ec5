namespace Hadal.Formats.Chat.Jinja;

/// <summary>Evaluated arguments of one call.</summary>
internal sealed class JinjaCall(string name, List<object?> positional, Dictionary<string, object?> named)
{
    public string Name { get; } = name;

    public List<object?> Positional { get; } = positional;

    public Dictionary<string, object?> Named { get; } = named;

    public int Count => Positional.Count + Named.Count;

    public bool TryGet(int index, string parameter, out object? value)
    {
        if (index >= 0 && index < Positional.Count)
        {
            value = Positional[index];
            return true;
        }

        return Named.TryGetValue(parameter, out value);
    }

    public object? Optional(int index, string parameter, object? fallback = null) => TryGet(index, parameter, out object? value) ? value : fallback;

    public object? Required(int index, string parameter) =>
        TryGet(index, parameter, out object? value) ? value : throw new JinjaException($"{Name} lacks its argument '{parameter}'");

    public string RequiredString(int index, string parameter) => Required(index, parameter) switch
    {
        string text => text,
        var other => throw new JinjaException($"{Name} needs a string for '{parameter}', not {JinjaInterpreter.TypeName(other)}"),
    };

    public long Integer(int index, string parameter, long fallback) => Optional(index, parameter, fallback) switch
    {
        long value => value,
        bool value => value ? 1 : 0,
        null => fallback,
        object other => throw new JinjaException($"{Name} needs an integer for '{parameter}', not {JinjaInterpreter.TypeName(other)}"),
    };

    public void AtMost(int count)
    {
        if (Count > count) throw new JinjaException($"{Name} takes at most {count} arguments, {Count} were given");
    }
}
