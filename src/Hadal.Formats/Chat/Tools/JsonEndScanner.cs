namespace Hadal.Formats.Chat.Tools;

/// <summary>Finds where a JSON value ends, over any number of pieces.</summary>
internal struct JsonEndScanner
{
    private int _depth;
    private bool _inString;
    private bool _isEscaped;
    private bool _hasBegun;

    /// <returns>The index behind the value's last character; -1 if it goes on.</returns>
    public int Scan(ReadOnlySpan<char> text)
    {
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (_inString)
            {
                if (_isEscaped)
                    _isEscaped = false;
                else if (c == '\\')
                    _isEscaped = true;
                else if (c == '"')
                    _inString = false;
                if (!_inString && _depth == 0)
                    return i + 1;
                continue;
            }

            switch (c)
            {
                case '"':
                    _inString = _hasBegun = true;
                    break;
                case '{' or '[':
                    _depth++;
                    _hasBegun = true;
                    break;
                case '}' or ']' when _depth > 0:
                    if (--_depth == 0)
                        return i + 1;
                    break;
                case '}' or ']' or ',' or ' ' or '\n' or '\r' or '\t' when _depth == 0 && _hasBegun:
                    return i; // a number or a word ends before what follows it
                case '}' or ']' or ',' when _depth == 0:
                    return i;
                default:
                    _hasBegun = true;
                    break;
            }
        }

        return -1;
    }
}
