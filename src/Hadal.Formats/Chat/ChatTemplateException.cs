using Hadal.Numerics;

namespace Hadal.Formats.Chat;

/// <summary>A chat template refused a conversation or could not be read or rendered.</summary>
public sealed class ChatTemplateException : HadalException
{
    public ChatTemplateException(string message)
        : base(message)
    {
    }

    public ChatTemplateException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public ChatTemplateException()
    {
    }

    /// <summary>The template itself objected (raise_exception): the request is at fault, not the model's files.</summary>
    public bool IsRefusal { get; init; }
}
