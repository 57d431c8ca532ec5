using System.Text;

namespace Hadal.Formats.Checkpoints;

/// <summary>Text from a file as it may appear in an error message: short, on one line, without control characters.</summary>
internal static class HostileText
{
    private const int MaxChars = 120;

    public static string Quote(string text)
    {
        var sb = new StringBuilder(Math.Min(text.Length, MaxChars) + 8);
        sb.Append('\'');
        foreach (char c in text.AsSpan(0, Math.Min(text.Length, MaxChars)))
        {
            sb.Append(char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c);
        }

        if (text.Length > MaxChars)
        {
            sb.Append('…');
        }

        return sb.Append('\'').ToString();
    }
}
