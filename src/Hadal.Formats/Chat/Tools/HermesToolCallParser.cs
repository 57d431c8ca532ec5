namespace Hadal.Formats.Chat.Tools;

/// <summary>Calls between <c>&lt;tool_call&gt;</c> and <c>&lt;/tool_call&gt;</c>, each an object with name and arguments: Hermes, Qwen2.5, Qwen3.</summary>
internal sealed class HermesToolCallParser(Func<string>? createId) : ToolCallParser(createId)
{
    private const string Open = "<tool_call>";
    private const string Close = "</tool_call>";

    private State _state;
    private JsonEndScanner _arguments;

    private enum State
    {
        Content,
        Arguments,
        Behind,
    }

    private protected override bool Step() => _state switch
    {
        State.Content => Content(),
        State.Arguments => Arguments(),
        _ => Behind(),
    };

    private bool Content()
    {
        // Newlines between two calls, and before the first, belong to the calls: they are held until it is known what follows them.
        int at = Pending.IndexOf(Open, StringComparison.Ordinal);
        if (at < 0)
        {
            int held = IsAtEnd ? 0 : HeldLength(Pending, Open);
            int newlines = Pending.Length - held - Pending.AsSpan(0, Pending.Length - held).TrimEnd('\n').Length;
            // After a call, what is white alone up to the end is dropped.
            if (IsAtEnd && NumCalls > 0 && string.IsNullOrWhiteSpace(Pending))
                Take(Pending.Length);
            else
                AddContent(Take(Pending.Length - held - (IsAtEnd ? 0 : newlines)));
            return false;
        }

        int body = JsonCallReader.SkipSpace(Pending, at + Open.Length);
        if (body == Pending.Length)
            return !IsAtEnd ? false : NoCall(at);
        if (Pending[body] != '{')
            return NoCall(at);
        switch (JsonCallReader.Read(Pending.AsSpan(body), out string name, out int start, out int length, out int end))
        {
            case JsonCallReader.Outcome.NeedsMore when !IsAtEnd && Pending.Length < MaxHeldChars:
                return false;
            case JsonCallReader.Outcome.Begins:
                AddContent(ContentBefore(at));
                Take(body + start);
                BeginCall(name);
                _arguments = default;
                _state = State.Arguments;
                return true;
            case JsonCallReader.Outcome.Whole:
                AddContent(ContentBefore(at));
                BeginCall(name);
                AddArguments(Pending.Substring(body + start, length));
                Take(body + end);
                _state = State.Behind;
                return true;
            default:
                return NoCall(at);
        }
    }

    private string ContentBefore(int at) => Pending[..at].TrimEnd('\n');

    private bool NoCall(int at)
    {
        AddContent(Take(at + Open.Length));
        return true;
    }

    private bool Arguments()
    {
        int end = _arguments.Scan(Pending);
        AddArguments(Take(end < 0 ? Pending.Length : end));
        if (end >= 0)
            _state = State.Behind;
        return end >= 0;
    }

    private bool Behind()
    {
        int close = Pending.IndexOf(Close, StringComparison.Ordinal);
        int next = Pending.IndexOf(Open, StringComparison.Ordinal);
        if (close < 0 && next < 0)
        {
            // The object's own end, and whatever else stands before the marker.
            Take(IsAtEnd ? Pending.Length : Pending.Length - HeldLength(Pending, Close, Open));
            return false;
        }

        Take(close >= 0 && (next < 0 || close < next) ? close + Close.Length : next);
        _state = State.Content;
        return true;
    }
}
