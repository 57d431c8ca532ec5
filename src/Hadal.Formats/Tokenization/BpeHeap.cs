namespace Hadal.Formats.Tokenization;

/// <summary>A binary min-heap of (rank, position), packed into one number so that a comparison is one instruction.</summary>
internal sealed class BpeHeap
{
    private ulong[] _items = new ulong[64];

    public int Count { get; private set; }

    public void Clear() => Count = 0;

    /// <summary>Puts a candidate in without keeping the order; <see cref="Order"/> must follow.</summary>
    public void AddUnordered(int rank, int position)
    {
        if (Count == _items.Length) Array.Resize(ref _items, Count * 2);
        _items[Count++] = ((ulong)(uint)rank << 32) | (uint)position;
    }

    public void Order()
    {
        for (int i = (Count / 2) - 1; i >= 0; i--) SiftDown(i);
    }

    public void Push(int rank, int position)
    {
        AddUnordered(rank, position);
        int i = Count - 1;
        ulong item = _items[i];
        while (i > 0 && item < _items[(i - 1) / 2])
        {
            _items[i] = _items[(i - 1) / 2];
            i = (i - 1) / 2;
        }

        _items[i] = item;
    }

    public bool TryPop(out int rank, out int position)
    {
        if (Count == 0)
        {
            rank = position = -1;
            return false;
        }

        ulong top = _items[0];
        _items[0] = _items[--Count];
        SiftDown(0);
        rank = (int)(top >> 32);
        position = (int)(uint)top;
        return true;
    }

    public void Trim()
    {
        if (_items.Length > 1 << 18) _items = new ulong[64];
    }

    private void SiftDown(int i)
    {
        ulong item = _items[i];
        while (true)
        {
            int child = (i * 2) + 1;
            if (child >= Count) break;
            if (child + 1 < Count && _items[child + 1] < _items[child]) child++;
            if (_items[child] >= item) break;
            _items[i] = _items[child];
            i = child;
        }

        _items[i] = item;
    }
}
