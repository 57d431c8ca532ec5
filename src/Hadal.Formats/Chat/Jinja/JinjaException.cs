namespace Hadal.Formats.Chat.Jinja;

/// <summary>What went wrong inside a template; <see cref="ChatTemplate"/> turns it into an error for people.</summary>
internal sealed class JinjaException : Exception
{
    public JinjaException(string message)
        : base(message)
    {
    }

    public JinjaException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public JinjaException()
    {
    }

    /// <summary>One-based; 0 until it is known.</summary>
    public int Line { get; init; }

    /// <summary>The template called raise_exception.</summary>
    public bool IsRaised { get; init; }
}
