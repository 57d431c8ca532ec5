namespace Hadal.Formats.Chat.Reasoning;

/// <summary>
/// Splits one answer's text into thinking and content as it comes. However the text is cut into pieces, the joined results are the same: what may
/// become a marker is held back until it is certain. Newlines right after a marker belong to neither side, as in DeepSeek's own API.
/// An opening marker counts only at the very beginning and a closing one only while thinking, so an answer may speak of both.
/// </summary>
public sealed class ReasoningSplitter(ReasoningMarkers markers, ReasoningStart start)
{
    private State _state = start switch
    {
        ReasoningStart.BehindOpen or ReasoningStart.AmidReasoning => State.Reasoning,
        ReasoningStart.BehindClose or ReasoningStart.AmidContent => State.Content,
        _ => State.Start,
    };

    private bool _trimNewlines = start is ReasoningStart.BehindOpen or ReasoningStart.BehindClose;
    private string _held = "";

    private enum State
    {
        Start,
        Reasoning,
        Content,
    }

    /// <summary>Nothing visible has come yet.</summary>
    public bool IsUndecided => _state == State.Start;

    public bool IsReasoning => _state == State.Reasoning;

    public TextDelta Append(string text)
    {
        if (text.Length == 0)
            return new TextDelta("", "");

        // Nearly every token of an answer takes this way, which allocates nothing.
        if (_state == State.Content && !_trimNewlines)
            return new TextDelta("", text);

        if (_held.Length > 0)
        {
            text = _held + text;
            _held = "";
        }

        if (_state == State.Start)
        {
            var visible = text.AsSpan().TrimStart();
            if (visible.StartsWith(markers.Open))
            {
                Enter(State.Reasoning);
                text = visible[markers.Open.Length..].ToString();
            }
            else if (markers.Open.AsSpan().StartsWith(visible))
            {
                _held = text;
                return new TextDelta("", "");
            }
            else
            {
                _state = State.Content;
                return new TextDelta("", text);
            }
        }

        if (_state == State.Content)
            return new TextDelta("", TrimNewlines(text));

        text = TrimNewlines(text);
        int close = text.IndexOf(markers.Close, StringComparison.Ordinal);
        if (close >= 0)
        {
            Enter(State.Content);
            return new TextDelta(text[..close], TrimNewlines(text[(close + markers.Close.Length)..]));
        }

        int held = HeldLength(text, markers.Close);
        if (held == 0)
            return new TextDelta(text, "");
        _held = text[^held..];
        return new TextDelta(text[..^held], "");
    }

    /// <summary>The text has ended: what was held back is no marker.</summary>
    public TextDelta Flush()
    {
        string held = _held;
        _held = "";
        return _state == State.Reasoning ? new TextDelta(held, "") : new TextDelta("", held);
    }

    /// <summary>Length of the longest end of <paramref name="text"/> with which <paramref name="marker"/> begins.</summary>
    private static int HeldLength(string text, string marker)
    {
        for (int length = Math.Min(marker.Length - 1, text.Length); length > 0; length--)
        {
            if (text.AsSpan(text.Length - length).SequenceEqual(marker.AsSpan(0, length)))
                return length;
        }

        return 0;
    }

    private void Enter(State state)
    {
        _state = state;
        _trimNewlines = true;
    }

    private string TrimNewlines(string text)
    {
        if (!_trimNewlines)
            return text;
        string trimmed = text.TrimStart('\n');
        _trimNewlines = trimmed.Length == 0;
        return trimmed;
    }
}
