namespace Hadal.Formats.Chat.Reasoning;

public readonly record struct TextDelta(string Reasoning, string Content);
