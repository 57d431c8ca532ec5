namespace Hadal.Formats.Tokenization.Patterns;

internal enum RepeatMode
{
    Greedy,
    Lazy,
    Possessive,
}
