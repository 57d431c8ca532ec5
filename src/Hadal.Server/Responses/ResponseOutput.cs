namespace Hadal.Server.Responses;

/// <summary>The items of an answer, in the order in which they came.</summary>
internal sealed class ResponseOutput
{
    private readonly List<ResponseItem> _items = [];

    public IReadOnlyList<ResponseItem> Items => _items;

    /// <summary>The item that text is added to now; null before the first and behind one that has ended.</summary>
    public ResponseItem? Open { get; private set; }

    public ResponseItem Begin(ResponseItem item)
    {
        _items.Add(item);
        return Open = item;
    }

    public void End() => Open = null;
}
