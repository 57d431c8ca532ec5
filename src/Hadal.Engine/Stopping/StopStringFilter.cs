namespace Hadal.Engine.Stopping;

/// <summary>
/// Lets the text of one answer through up to its first stop string, holding back the end that may yet become one.
/// What comes out does not depend on how the text was cut into pieces.
/// </summary>
internal sealed class StopStringFilter(StopStrings strings)
{
    private readonly char[] _held = new char[strings.MaxLength];
    private int _numHeld;
    private int _state;

    /// <summary>The stop string that was found; nothing more may be appended then.</summary>
    public string? Found { get; private set; }

    /// <param name="text">The next piece.</param>
    /// <param name="mayStop">False: stop strings that end in this piece are let through.</param>
    /// <returns>Text that is now certain.</returns>
    public string Append(string text, bool mayStop)
    {
        for (int i = 0; i < text.Length; i++)
        {
            _state = strings.Step(_state, text[i]);
            if (mayStop && strings.MatchAt(_state) is { } found)
            {
                Found = found;
                return Take(text.AsSpan(0, i + 1), found.Length, keep: false);
            }
        }

        int hold = strings.HoldAt(_state);
        return _numHeld == 0 && hold == 0 ? text : Take(text, hold, keep: true);
    }

    /// <summary>What was held back: the text ends here, so it became no stop string.</summary>
    public string Flush()
    {
        string rest = new(_held, 0, _numHeld);
        _numHeld = 0;
        _state = 0;
        return rest;
    }

    /// <summary>Takes out all of held + text but its last <paramref name="numLast"/> characters, which are held or dropped.</summary>
    private string Take(ReadOnlySpan<char> text, int numLast, bool keep)
    {
        int numOut = _numHeld + text.Length - numLast;
        int fromHeld = Math.Min(numOut, _numHeld);
        int fromText = numOut - fromHeld;
        string result = string.Concat(_held.AsSpan(0, fromHeld), text[..fromText]);
        int stays = keep ? _numHeld - fromHeld : 0;
        _held.AsSpan(fromHeld, stays).CopyTo(_held);
        if (keep)
            text[fromText..].CopyTo(_held.AsSpan(stays));
        _numHeld = keep ? numLast : 0;
        return result;
    }
}
