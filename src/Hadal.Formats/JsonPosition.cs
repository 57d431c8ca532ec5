using System.Text.Json;

namespace Hadal.Formats;

/// <summary>Where JSON is broken, in words: " at line 3, byte 14", or nothing where the parser does not say (a repeated property, text cut short).</summary>
internal static class JsonPosition
{
    public static string Of(JsonException e)
        => e.LineNumber is { } line && e.BytePositionInLine is { } position ? $" at line {line + 1}, byte {position}" : "";
}
