namespace Hadal.Formats.Chat.Tools;

/// <summary>
/// Calls of DeepSeek V3 and R1 (<c>function&lt;｜tool▁sep｜&gt;NAME</c> and the arguments in a JSON fence) and of V3.1
/// (<c>NAME&lt;｜tool▁sep｜&gt;ARGUMENTS</c>), told apart call by call.
/// </summary>
internal sealed class DeepSeekToolCallParser(Func<string>? createId) : ToolCallParser(createId)
{
    private const string CallsBegin = "<｜tool▁calls▁begin｜>";
    private const string CallBegin = "<｜tool▁call▁begin｜>";
    private const string Separator = "<｜tool▁sep｜>";
    private const string CallEnd = "<｜tool▁call▁end｜>";
    private const string CallsEnd = "<｜tool▁calls▁end｜>";
    private const string Fence = "```json";

    private State _state;
    private bool _isFenced;

    private enum State
    {
        Content,
        Between,
        Arguments,
    }

    private protected override bool Step() => _state switch
    {
        State.Content => Content(),
        State.Between => Between(),
        _ => Arguments(),
    };

    private bool Content()
    {
        if (ContentUpTo(CallsBegin) is null)
            return false;
        int call = SkipSpace(CallsBegin.Length);
        if (call == Pending.Length && !IsAtEnd)
            return false;
        return Begin(call);
    }

    private bool Between()
    {
        int at = SkipSpace(0);
        if (at == Pending.Length)
        {
            if (IsAtEnd)
                Take(at);
            return false;
        }

        if (Pending.AsSpan(at).StartsWith(CallsEnd))
        {
            Take(at + CallsEnd.Length);
            _state = State.Content;
            return true;
        }

        if (CallsEnd.AsSpan().StartsWith(Pending.AsSpan(at)) && !IsAtEnd)
            return false;
        return Begin(at);
    }

    /// <summary>Reads a call's beginning up to its arguments; the pending text before <paramref name="at"/> goes with it.</summary>
    private bool Begin(int at)
    {
        ReadOnlySpan<char> rest = Pending.AsSpan(at);
        if (!rest.StartsWith(CallBegin))
            return CallBegin.AsSpan().StartsWith(rest) && !IsAtEnd ? false : NoCall(at);
        int header = at + CallBegin.Length;
        int separator = Pending.IndexOf(Separator, header, StringComparison.Ordinal);
        if (separator < 0)
            return Pending.Length - header < MaxHeaderChars && !IsAtEnd ? false : NoCall(header);
        string first = Pending[header..separator].Trim();
        int next = separator + Separator.Length;
        int visible = SkipSpace(next);
        if (visible == Pending.Length && !IsAtEnd)
            return false;
        if (visible < Pending.Length && Pending[visible] is '{' or '[' && first.Length > 0)
            return BeginArguments(first, next, isFenced: false);

        // V3: the type came first, the name is on this line, and the fence on the next.
        int line = Pending.IndexOf('\n', next);
        int fence = line < 0 ? -1 : SkipSpace(line);
        if (line < 0 || (fence < Pending.Length && Fence.AsSpan().StartsWith(Pending.AsSpan(fence)) && Pending.Length - fence < Fence.Length) || fence == Pending.Length)
            return Pending.Length - next < MaxHeaderChars && !IsAtEnd ? false : NoCall(next);
        string name = Pending[next..line].Trim();
        if (name.Length == 0 || !Pending.AsSpan(fence).StartsWith(Fence))
            return NoCall(next);
        int start = fence + Fence.Length;
        if (start == Pending.Length && !IsAtEnd)
            return false;
        return BeginArguments(name, start + (start < Pending.Length && Pending[start] == '\n' ? 1 : 0), isFenced: true);
    }

    private bool BeginArguments(string name, int start, bool isFenced)
    {
        Take(start);
        BeginCall(name);
        _isFenced = isFenced;
        _state = State.Arguments;
        return true;
    }

    /// <summary>What was read so far is text like any other.</summary>
    private bool NoCall(int length)
    {
        AddContent(Take(length));
        _state = State.Content;
        return true;
    }

    private bool Arguments()
    {
        int end = Pending.IndexOf(CallEnd, StringComparison.Ordinal);
        int length = end >= 0 ? end : IsAtEnd ? Pending.Length : Pending.Length - HeldLength(Pending, CallEnd);
        if (_isFenced)
        {
            // The fence that closes them, and what may be its beginning.
            ReadOnlySpan<char> arguments = Pending.AsSpan(0, length).TrimEnd("\n\r `");
            int kept = arguments.Length;
            if (end < 0 && !IsAtEnd)
                length = kept;
            else
                length = Pending.AsSpan(kept, length - kept).Contains('`') || end >= 0 ? kept : length;
        }

        AddArguments(Pending[..length]);
        if (end < 0)
        {
            Take(IsAtEnd ? Pending.Length : length);
            return false;
        }

        Take(end + CallEnd.Length);
        _state = State.Between;
        return true;
    }

    private int SkipSpace(int at)
    {
        while (at < Pending.Length && char.IsWhiteSpace(Pending[at]))
            at++;
        return at;
    }
}
