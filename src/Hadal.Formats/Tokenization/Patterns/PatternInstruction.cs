namespace Hadal.Formats.Tokenization.Patterns;

/// <param name="CanStart">Of a split: the ASCII characters that its first way can begin with, when it cannot be empty.</param>
internal readonly record struct PatternInstruction(PatternOp Op, int A = 0, int B = 0, CharClass? Class = null, bool[]? CanStart = null);
