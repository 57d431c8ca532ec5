namespace Hadal.Engine.Tests.Fakes;

/// <summary>Token i is written as the i-th text of a table.</summary>
internal sealed class TableDecoder(IReadOnlyList<string> texts) : ITextDecoder
{
    public static readonly string[] Letters = [.. Enumerable.Range(0, 4096).Select(i => ((char)('a' + (i % 26))).ToString())];

    public string Append(int id) => texts[id];

    public string Flush() => "";
}
