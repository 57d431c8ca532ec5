namespace Hadal.Numerics;

/// <summary>
/// Something outside is wrong (a file, a configuration, an argument) and the message says so in full:
/// what was found, what was expected, where, and what to do. Shown to people without a stack trace.
/// </summary>
public class HadalException : Exception
{
    public HadalException(string message)
        : base(message)
    {
    }

    public HadalException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public HadalException()
    {
    }
}
