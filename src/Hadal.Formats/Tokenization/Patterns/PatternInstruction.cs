namespace Hadal.Formats.Tokenization.Patterns;

internal readonly record struct PatternInstruction(PatternOp Op, int A = 0, int B = 0, CharClass? Class = null);
