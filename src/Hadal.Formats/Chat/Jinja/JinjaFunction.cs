namespace Hadal.Formats.Chat.Jinja;

/// <summary>Something that can be called: a macro, a method of a value, a global function.</summary>
internal sealed record JinjaFunction(string Name, Func<JinjaCall, object?> Invoke);
