namespace Hadal.Server.Responses;

/// <summary>
/// Responses that others may go on from, in memory alone: the least recently used goes when there are too many or they take too much. Thread-safe.
/// </summary>
internal sealed class ResponseStore(int maxResponses, long maxBytes)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<(string Id, StoredResponse Response)>> _byId = new(StringComparer.Ordinal);
    private readonly LinkedList<(string Id, StoredResponse Response)> _byUse = new();
    private long _bytes;

    public int Count
    {
        get
        {
            lock (_lock)
                return _byId.Count;
        }
    }

    public void Add(string id, StoredResponse response)
    {
        if (response.Bytes > maxBytes || maxResponses == 0)
            return;
        lock (_lock)
        {
            _byId.Add(id, _byUse.AddLast((id, response)));
            _bytes += response.Bytes;
            while (_byId.Count > maxResponses || _bytes > maxBytes)
                Remove(_byUse.First!);
        }
    }

    public StoredResponse? Find(string id, string owner)
    {
        lock (_lock)
        {
            if (!_byId.TryGetValue(id, out var node) || node.Value.Response.Owner != owner)
                return null;
            _byUse.Remove(node);
            _byUse.AddLast(node);
            return node.Value.Response;
        }
    }

    /// <returns>False where there is none of this owner's.</returns>
    public bool Delete(string id, string owner)
    {
        lock (_lock)
        {
            if (!_byId.TryGetValue(id, out var node) || node.Value.Response.Owner != owner)
                return false;
            Remove(node);
            return true;
        }
    }

    private void Remove(LinkedListNode<(string Id, StoredResponse Response)> node)
    {
        _bytes -= node.Value.Response.Bytes;
        _byId.Remove(node.Value.Id);
        _byUse.Remove(node);
    }
}
