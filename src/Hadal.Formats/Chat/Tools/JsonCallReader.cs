using System.Text.Json;

namespace Hadal.Formats.Chat.Tools;

/// <summary>Reads calls of the form <c>{"name": …, "arguments": {…}}</c> from text that is still coming.</summary>
internal static class JsonCallReader
{
    internal enum Outcome
    {
        NeedsMore,
        NoCall,

        /// <summary>The name is known and the arguments begin.</summary>
        Begins,

        /// <summary>The arguments came first; all of the call is there.</summary>
        Whole,
    }

    /// <param name="text">Begins with the object.</param>
    /// <param name="name">Of the tool.</param>
    /// <param name="start">Where the arguments begin.</param>
    /// <param name="length">Of the arguments, where they are whole.</param>
    /// <param name="end">Behind the object, where it is whole.</param>
    public static Outcome Read(ReadOnlySpan<char> text, out string name, out int start, out int length, out int end)
    {
        name = "";
        start = length = end = 0;
        bool hasName = false, hasArguments = false;
        int at = SkipSpace(text, 1);
        while (true)
        {
            if (at >= text.Length)
                return Outcome.NeedsMore;
            if (text[at] == '}')
            {
                end = at + 1;
                return hasName && hasArguments ? Outcome.Whole : Outcome.NoCall;
            }

            if (text[at] != '"')
                return Outcome.NoCall;
            int keyEnd = ValueEnd(text, at);
            if (keyEnd < 0)
                return Outcome.NeedsMore;
            ReadOnlySpan<char> key = text[(at + 1)..(keyEnd - 1)];
            at = SkipSpace(text, keyEnd);
            if (at >= text.Length)
                return Outcome.NeedsMore;
            if (text[at] != ':')
                return Outcome.NoCall;
            at = SkipSpace(text, at + 1);
            if (at >= text.Length)
                return Outcome.NeedsMore;
            bool isArguments = key is "arguments" or "parameters";
            if (isArguments && hasName && !hasArguments)
            {
                start = at;
                return text[at] == '{' ? Outcome.Begins : Outcome.NoCall;
            }

            int valueEnd = ValueEnd(text, at);
            if (valueEnd < 0)
                return Outcome.NeedsMore;
            if (isArguments)
            {
                if (hasArguments || text[at] != '{')
                    return Outcome.NoCall;
                (hasArguments, start, length) = (true, at, valueEnd - at);
            }
            else if (key is "name")
            {
                if (hasName || text[at] != '"' || !TryUnescape(text[at..valueEnd], out name) || name.Length == 0)
                    return Outcome.NoCall;
                hasName = true;
            }
            else if (key is not ("type" or "id"))
            {
                return Outcome.NoCall;
            }

            at = SkipSpace(text, valueEnd);
            if (at >= text.Length)
                return Outcome.NeedsMore;
            if (text[at] == ',')
                at = SkipSpace(text, at + 1);
            else if (text[at] != '}')
                return Outcome.NoCall;
        }
    }

    public static int SkipSpace(ReadOnlySpan<char> text, int at)
    {
        while (at < text.Length && text[at] is ' ' or '\n' or '\r' or '\t')
            at++;
        return at;
    }

    /// <summary>Behind the value that begins at <paramref name="at"/>; -1 if it is not there yet. Only brackets and quotes are looked at.</summary>
    private static int ValueEnd(ReadOnlySpan<char> text, int at)
    {
        var scanner = new JsonEndScanner();
        int end = scanner.Scan(text[at..]);
        return end < 0 ? -1 : at + end;
    }

    private static bool TryUnescape(ReadOnlySpan<char> quoted, out string value)
    {
        value = "";
        try
        {
            using JsonDocument document = JsonDocument.Parse(quoted.ToString());
            value = document.RootElement.GetString() ?? "";
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return false;
        }
    }
}
