namespace Hadal.Formats.Chat.Jinja;

/// <summary>The variable <c>loop</c>.</summary>
internal sealed class JinjaLoop(List<object?> items)
{
    private object? _lastChanged;
    private bool _hasChanged;

    public int Index0 { get; set; }

    public object? Get(string name, JinjaInterpreter interpreter) => name switch
    {
        "index" => Index0 + 1L,
        "index0" => (long)Index0,
        "revindex" => (long)(items.Count - Index0),
        "revindex0" => (long)(items.Count - Index0 - 1),
        "first" => Index0 == 0,
        "last" => Index0 == items.Count - 1,
        "length" => (long)items.Count,
        // Only recursive loops, which there are none of, go deeper.
        "depth" => 1L,
        "depth0" => 0L,
        "previtem" => Index0 > 0 ? items[Index0 - 1] : new JinjaUndefined("there is no previous item"),
        "nextitem" => Index0 + 1 < items.Count ? items[Index0 + 1] : new JinjaUndefined("there is no next item"),
        "cycle" => new JinjaFunction("loop.cycle", Cycle),
        "changed" => new JinjaFunction("loop.changed", call => Changed(call, interpreter)),
        _ => new JinjaUndefined($"'loop' has no attribute '{name}'"),
    };

    private object? Cycle(JinjaCall call) =>
        call.Positional.Count == 0 ? throw new JinjaException("loop.cycle needs values") : call.Positional[Index0 % call.Positional.Count];

    private bool Changed(JinjaCall call, JinjaInterpreter interpreter)
    {
        var value = new JinjaList(call.Positional, isTuple: true);
        if (_hasChanged && interpreter.AreEqual(_lastChanged, value)) return false;
        _lastChanged = value;
        _hasChanged = true;
        return true;
    }
}
