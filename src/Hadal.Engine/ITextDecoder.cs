namespace Hadal.Engine;

/// <summary>Turns the tokens of one answer into text as they come. One per sequence, used by one thread.</summary>
public interface ITextDecoder
{
    /// <summary>Text that the token makes certain: never half a character; empty while one is incomplete.</summary>
    string Append(int id);

    /// <summary>What is left at the end; bytes that never became a character come out as U+FFFD.</summary>
    string Flush();
}
