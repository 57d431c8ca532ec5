namespace Hadal.Formats.Chat.Tools;

/// <summary>Calls as Llama 3 writes them: an answer that is nothing but an object with name and parameters, or one behind <c>&lt;|python_tag|&gt;</c>; several apart by semicolons.</summary>
internal sealed class LlamaToolCallParser(Func<string>? createId) : ToolCallParser(createId)
{
    private const string Tag = "<|python_tag|>";

    private State _state;
    private JsonEndScanner _arguments;

    private enum State
    {
        Start,
        Content,
        Tagged,
        Arguments,
        ObjectEnd,
        Behind,
    }

    private protected override bool Step() => _state switch
    {
        State.Start => Start(),
        State.Content => Content(),
        State.Tagged => Call(Tag.Length),
        State.Arguments => Arguments(),
        State.ObjectEnd => ObjectEnd(),
        _ => Behind(),
    };

    private bool Start()
    {
        int at = JsonCallReader.SkipSpace(Pending, 0);
        if (at == Pending.Length)
            return false;
        if (Pending[at] == '{')
            return Call(at);
        _state = State.Content;
        return true;
    }

    private bool Content()
    {
        if (ContentUpTo(Tag) is null)
            return false;
        _state = State.Tagged;
        return true;
    }

    /// <summary>An object at or behind <paramref name="from"/>, which is a call or content.</summary>
    private bool Call(int from)
    {
        int at = JsonCallReader.SkipSpace(Pending, from);
        if (at == Pending.Length)
            return !IsAtEnd ? false : NoCall(from);
        if (Pending[at] != '{')
            return NoCall(from);
        switch (JsonCallReader.Read(Pending.AsSpan(at), out string name, out int start, out int length, out int end))
        {
            case JsonCallReader.Outcome.NeedsMore when !IsAtEnd && Pending.Length < MaxHeldChars:
                return false;
            case JsonCallReader.Outcome.Begins:
                Take(at + start);
                BeginCall(name);
                _arguments = default;
                _state = State.Arguments;
                return true;
            case JsonCallReader.Outcome.Whole:
                BeginCall(name);
                AddArguments(Pending.Substring(at + start, length));
                Take(at + end);
                _state = State.Behind;
                return true;
            default:
                return NoCall(at);
        }
    }

    private bool NoCall(int length)
    {
        AddContent(Take(length));
        _state = State.Content;
        return true;
    }

    private bool Arguments()
    {
        int end = _arguments.Scan(Pending);
        AddArguments(Take(end < 0 ? Pending.Length : end));
        if (end >= 0)
            _state = State.ObjectEnd;
        return end >= 0;
    }

    private bool ObjectEnd()
    {
        int close = Pending.IndexOf('}', StringComparison.Ordinal);
        Take(close < 0 ? Pending.Length : close + 1);
        if (close >= 0)
            _state = State.Behind;
        return close >= 0;
    }

    private bool Behind()
    {
        int at = JsonCallReader.SkipSpace(Pending, 0);
        if (at < Pending.Length && Pending[at] == ';')
            at = JsonCallReader.SkipSpace(Pending, at + 1);
        if (at == Pending.Length)
        {
            if (IsAtEnd)
                Take(at);
            return false;
        }

        if (Pending.AsSpan(at).StartsWith(Tag))
            at = JsonCallReader.SkipSpace(Pending, at + Tag.Length);
        else if (Tag.AsSpan().StartsWith(Pending.AsSpan(at)) && !IsAtEnd)
            return false;
        if (at == Pending.Length)
        {
            if (IsAtEnd)
                Take(at);
            return false;
        }

        if (Pending[at] == '{')
            return Call(at);
        Take(at);
        _state = State.Content;
        return true;
    }
}
