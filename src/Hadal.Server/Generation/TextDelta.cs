namespace Hadal.Server.Generation;

internal readonly record struct TextDelta(string Reasoning, string Content);
