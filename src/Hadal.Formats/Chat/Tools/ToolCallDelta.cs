namespace Hadal.Formats.Chat.Tools;

/// <summary>A piece of a tool call, as the API streams it: first id and name, then the arguments bit by bit, exactly as the model wrote them.</summary>
/// <param name="Index">Which call of the answer, from 0.</param>
/// <param name="Id">With the first piece only.</param>
/// <param name="Name">With the first piece only.</param>
/// <param name="Arguments">Text to append.</param>
public readonly record struct ToolCallDelta(int Index, string? Id, string? Name, string Arguments);
