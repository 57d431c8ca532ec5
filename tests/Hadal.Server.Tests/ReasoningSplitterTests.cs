using FsCheck.Xunit;
using Hadal.Formats.Chat.Reasoning;

namespace Hadal.Server.Tests;

public sealed class ReasoningSplitterTests
{
    // Pieces from which texts are built that come close to markers, cross them, and repeat them.
    private static readonly string[] s_pieces = ["<think>", "</think>", "<", "</", "think", ">", "\n", "\n\n", " ", "a", "é", "🙂", "</thin", "</think", "<</think>", "hello"];

    [Theory]
    [InlineData("BehindOpen", "so\n</think>\n\nyes", "so\n", "yes")]
    [InlineData("BehindOpen", "\nso</think>yes", "so", "yes")]
    [InlineData("BehindOpen", "never closed </thi", "never closed </thi", "")]
    [InlineData("BehindOpen", "</think>yes", "", "yes")]
    [InlineData("BehindOpen", "a</think>b</think>c", "a", "b</think>c")]
    [InlineData("BehindOpen", "a<</think>b", "a<", "b")]
    [InlineData("BehindOpen", "", "", "")]
    [InlineData("Undecided", "<think>\nso</think>\nyes", "so", "yes")]
    [InlineData("Undecided", "\n <think>so</think>yes", "so", "yes")]
    [InlineData("Undecided", "yes <think>no</think>", "", "yes <think>no</think>")]
    [InlineData("Undecided", "<thin", "", "<thin")]
    [InlineData("Undecided", "\n\n", "", "\n\n")]
    [InlineData("BehindClose", "\n\nyes</think>", "", "yes</think>")]
    [InlineData("AmidReasoning", "\nmore</think>yes", "\nmore", "yes")]
    [InlineData("AmidContent", "\nmore", "", "\nmore")]
    public void Append_WholeText_SplitsAtMarkers(string start, string text, string reasoning, string content)
    {
        var split = Split(Enum.Parse<ReasoningStart>(start), [text]);

        Assert.Equal((reasoning, content), split);
    }

    [Property(MaxTest = 3000, Replay = "(20260101,7)")]
    public void Append_AnyCutOfAnyText_GivesTheSameSides(int startSeed, byte[] pieces, byte[] cuts)
    {
        var start = (ReasoningStart)(Math.Abs((long)startSeed) % 5);
        string text = string.Concat(pieces.Select(p => s_pieces[p % s_pieces.Length]));
        var deltas = new List<string>();
        int at = 0;
        foreach (byte cut in cuts)
        {
            int length = Math.Min(cut % 9, text.Length - at);
            deltas.Add(text.Substring(at, length));
            at += length;
        }

        deltas.Add(text[at..]);

        Assert.Equal(Split(start, [text]), Split(start, deltas));
        Assert.Equal(Split(start, [text]), Split(start, [.. text.Select(c => c.ToString())]));
        Assert.Equal(Expected(start, text), Split(start, [text]));
    }

    /// <summary>The same, said over the whole text at once.</summary>
    private static (string Reasoning, string Content) Expected(ReasoningStart start, string text)
    {
        if (start == ReasoningStart.AmidContent)
            return ("", text);
        if (start == ReasoningStart.BehindClose)
            return ("", text.TrimStart('\n'));
        if (start == ReasoningStart.Undecided)
        {
            string visible = text.TrimStart();
            if (!visible.StartsWith("<think>", StringComparison.Ordinal))
                return ("", text);
            text = visible["<think>".Length..];
        }

        if (start != ReasoningStart.AmidReasoning)
            text = text.TrimStart('\n');
        int close = text.IndexOf("</think>", StringComparison.Ordinal);
        return close < 0 ? (text, "") : (text[..close], text[(close + "</think>".Length)..].TrimStart('\n'));
    }

    private static (string Reasoning, string Content) Split(ReasoningStart start, List<string> deltas)
    {
        var splitter = new ReasoningSplitter(ReasoningMarkers.Think, start);
        string reasoning = "", content = "";
        foreach (string text in deltas)
        {
            var delta = splitter.Append(text);
            reasoning += delta.Reasoning;
            content += delta.Content;
        }

        var rest = splitter.Flush();
        return (reasoning + rest.Reasoning, content + rest.Content);
    }
}
