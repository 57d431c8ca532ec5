using System.Text;

namespace Hadal.Formats.Chat.Tools;

/// <summary>
/// Parts one answer's text into content and tool calls as it comes. However the text is cut into pieces, the joined results are the same: what may
/// become a marker is held back until it is certain. What looks like a call and is none stays content. One answer, one thread.
/// </summary>
public abstract class ToolCallParser
{
    // No honest name and nothing before it is longer; hostile text must not be searched again and again.
    private protected const int MaxHeaderChars = 4096;

    // Arguments that come before the name have to wait for it.
    private protected const int MaxHeldChars = 64 << 10;

    private readonly Func<string> _createId;
    private readonly StringBuilder _content = new();
    private readonly List<ToolCallDelta> _calls = [];

    private protected ToolCallParser(Func<string>? createId) => _createId = createId ?? (() => $"call_{Guid.NewGuid():N}"[..29]);

    /// <summary>Calls begun so far.</summary>
    public int NumCalls { get; private set; }

    /// <summary>Text not yet decided upon.</summary>
    private protected string Pending { get; set; } = "";

    private protected bool IsAtEnd { get; private set; }

    /// <summary>Takes the next piece.</summary>
    /// <param name="text">As the model wrote it.</param>
    /// <param name="calls">Pieces of calls that are now certain.</param>
    /// <returns>Content that is now certain.</returns>
    public string Append(string text, out IReadOnlyList<ToolCallDelta> calls)
    {
        ArgumentNullException.ThrowIfNull(text);
        Pending += text;
        return Advance(out calls);
    }

    /// <summary>The text has ended: what was held back became nothing.</summary>
    public string Flush(out IReadOnlyList<ToolCallDelta> calls)
    {
        IsAtEnd = true;
        return Advance(out calls);
    }

    /// <summary>Decides upon some of the pending text.</summary>
    /// <returns>False if more text is needed.</returns>
    private protected abstract bool Step();

    private protected string Take(int length)
    {
        string taken = Pending[..length];
        Pending = Pending[length..];
        return taken;
    }

    private protected void AddContent(string text) => _content.Append(text);

    private protected void BeginCall(string name) => _calls.Add(new(NumCalls++, _createId(), name, ""));

    private protected void AddArguments(string text)
    {
        if (text.Length > 0)
            _calls.Add(new(NumCalls - 1, null, null, text));
    }

    /// <summary>Passes text on up to the first of the markers, holding back what may be the beginning of one.</summary>
    /// <returns>The marker found at the beginning of the pending text; null if more is needed, or the text is at its end and used up.</returns>
    private protected string? ContentUpTo(params ReadOnlySpan<string> markers)
    {
        int first = Pending.Length;
        string? found = null;
        foreach (string marker in markers)
        {
            int at = Pending.IndexOf(marker, StringComparison.Ordinal);
            if (at >= 0 && at < first)
                (first, found) = (at, marker);
        }

        if (found is null && !IsAtEnd)
            first = Pending.Length - HeldLength(Pending, markers);
        AddContent(Take(first));
        return found;
    }

    /// <summary>Length of the longest end of the text with which one of the markers begins.</summary>
    private protected static int HeldLength(string text, params ReadOnlySpan<string> markers)
    {
        int held = 0;
        foreach (string marker in markers)
        {
            for (int length = Math.Min(marker.Length - 1, text.Length); length > held; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(marker.AsSpan(0, length)))
                    held = length;
            }
        }

        return held;
    }

    private string Advance(out IReadOnlyList<ToolCallDelta> calls)
    {
        while (Pending.Length > 0 && Step())
        {
        }

        if (IsAtEnd && Pending.Length > 0)
            AddContent(Take(Pending.Length));
        string content = _content.ToString();
        _content.Clear();
        calls = _calls.Count == 0 ? [] : [.. _calls];
        _calls.Clear();
        return content;
    }
}
