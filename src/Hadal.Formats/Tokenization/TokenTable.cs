namespace Hadal.Formats.Tokenization;

/// <summary>Token text (UTF-8) to id and back; ids may have holes. All text lies in one array: 130 000 strings would cost more to make than to read.</summary>
internal sealed class TokenTable
{
    // Four times the largest vocabulary in use; what lies above is a broken or hostile file.
    public const int MaxIds = 1 << 20;
    private const int MaxTextBytes = 1 << 28;

    private byte[] _text = new byte[1 << 16];
    private int _textLength;
    private (int Start, int Length)[] _byId = new (int, int)[1 << 12];
    private int[] _slots = new int[1 << 13];
    private int _count;

    public TokenTable() => _byId.AsSpan().Fill((0, -1));

    /// <summary>One more than the largest id.</summary>
    public int IdLimit { get; private set; }

    public bool Contains(int id) => (uint)id < (uint)IdLimit && _byId[id].Length >= 0;

    public ReadOnlySpan<byte> this[int id] => Contains(id) ? _text.AsSpan(_byId[id].Start, _byId[id].Length) : default;

    /// <summary>Null when the token was added, else what is wrong with it.</summary>
    public string? TryAdd(ReadOnlySpan<byte> token, long id)
    {
        if (id is < 0 or >= MaxIds) return $"id {id} is outside 0..{MaxIds - 1}";
        if (Contains((int)id)) return $"id {id} is taken by another token";
        if (TryGetId(token, out int other)) return $"the token is there already with id {other}";
        if (token.Length > MaxTextBytes - _textLength) return $"the vocabulary is longer than {MaxTextBytes} bytes";
        int needed = _textLength + token.Length;
        if (needed > _text.Length) Array.Resize(ref _text, Math.Max(needed, _text.Length * 2));
        if (id >= _byId.Length)
        {
            int old = _byId.Length;
            Array.Resize(ref _byId, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)id + 1));
            _byId.AsSpan(old).Fill((0, -1));
        }

        token.CopyTo(_text.AsSpan(_textLength));
        _byId[id] = (_textLength, token.Length);
        _textLength = needed;
        IdLimit = Math.Max(IdLimit, (int)id + 1);
        if (++_count * 2 > _slots.Length) Grow();
        else Insert((int)id);
        return null;
    }

    public bool TryGetId(ReadOnlySpan<byte> token, out int id)
    {
        int mask = _slots.Length - 1;
        for (int slot = SeededHash.Of(token) & mask; _slots[slot] != 0; slot = (slot + 1) & mask)
        {
            id = _slots[slot] - 1;
            if (this[id].SequenceEqual(token)) return true;
        }

        id = -1;
        return false;
    }

    private void Grow()
    {
        _slots = new int[_slots.Length * 2];
        for (int id = 0; id < IdLimit; id++)
        {
            if (_byId[id].Length >= 0) Insert(id);
        }
    }

    private void Insert(int id)
    {
        int mask = _slots.Length - 1;
        int slot = SeededHash.Of(this[id]) & mask;
        while (_slots[slot] != 0) slot = (slot + 1) & mask;
        _slots[slot] = id + 1;
    }
}
