namespace Hadal.Formats.Tokenization;

/// <summary>A growing array of ids that lends out its own memory.</summary>
internal sealed class IdBuffer
{
    private int[] _ids = new int[256];

    public int Count { get; private set; }

    public ReadOnlySpan<int> Ids => _ids.AsSpan(0, Count);

    public void Add(int id) => Grow(1)[0] = id;

    public void Add(ReadOnlySpan<int> ids) => ids.CopyTo(Grow(ids.Length));

    public void Clear()
    {
        Count = 0;
        if (_ids.Length > 1 << 20) _ids = new int[256];
    }

    private Span<int> Grow(int count)
    {
        if (_ids.Length - Count < count) Array.Resize(ref _ids, Math.Max(_ids.Length * 2, Count + count));
        Count += count;
        return _ids.AsSpan(Count - count, count);
    }
}
