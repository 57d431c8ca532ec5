namespace Hadal.Formats.Tokenization.Patterns;

internal enum PatternOp : byte
{
    /// <summary>One code point of a class.</summary>
    Set,

    /// <summary>A to B code points of a class, as many as there are, giving back one at a time.</summary>
    SetLoop,

    /// <summary>A to B code points of a class, giving back none.</summary>
    SetLoopPossessive,

    /// <summary>Go on at A; when that fails, at B.</summary>
    Split,
    Jump,

    /// <summary>Match the block from the next instruction to its own <see cref="Match"/> without consuming; go on at A if that holds.</summary>
    LookAhead,
    NegativeLookAhead,

    /// <summary>Match the block from the next instruction, drop its alternatives, go on at A.</summary>
    Atomic,

    LineStart,
    LineEnd,
    TextStart,
    TextEnd,
    TextEndOrLastNewline,
    WordBoundary,
    NotWordBoundary,
    Match,
}
