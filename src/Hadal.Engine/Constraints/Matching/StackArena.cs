namespace Hadal.Engine.Constraints.Matching;

/// <summary>Return stacks as a tree: a node is a state to return to and the stack below. Equal stacks are one node. Nodes are given back last in, first out.</summary>
internal sealed class StackArena
{
    /// <summary>The stack below the grammar's root: who returns there is at the end.</summary>
    public const int Bottom = -1;

    /// <summary>A stack that is not known: masks of states are computed above it.</summary>
    public const int Unknown = -2;

    private (int State, int Parent, int NextInBucket)[] _nodes = new (int, int, int)[64];
    private int[] _buckets = NewBuckets(128);
    private int _count;

    public int Mark => _count;

    public int State(int node) => _nodes[node].State;

    public int Parent(int node) => _nodes[node].Parent;

    public int Intern(int state, int parent)
    {
        ref int bucket = ref _buckets[BucketOf(state, parent)];
        for (int node = bucket; node >= 0; node = _nodes[node].NextInBucket)
        {
            if (_nodes[node].State == state && _nodes[node].Parent == parent)
                return node;
        }

        if (_count == _nodes.Length)
        {
            Grow();
            bucket = ref _buckets[BucketOf(state, parent)];
        }

        _nodes[_count] = (state, parent, bucket);
        return bucket = _count++;
    }

    public void Release(int mark)
    {
        // The last node is the first of its bucket.
        while (_count > mark)
        {
            (int state, int parent, int next) = _nodes[--_count];
            _buckets[BucketOf(state, parent)] = next;
        }
    }

    private int BucketOf(int state, int parent) => (int)((((uint)state * 0x9E3779B1u) ^ ((uint)parent * 0x85EBCA77u)) >> 7) & (_buckets.Length - 1);

    private void Grow()
    {
        Array.Resize(ref _nodes, 2 * _nodes.Length);
        _buckets = NewBuckets(2 * _nodes.Length);
        for (int i = 0; i < _count; i++)
        {
            ref int bucket = ref _buckets[BucketOf(_nodes[i].State, _nodes[i].Parent)];
            _nodes[i].NextInBucket = bucket;
            bucket = i;
        }
    }

    private static int[] NewBuckets(int length)
    {
        var buckets = new int[length];
        buckets.AsSpan().Fill(-1);
        return buckets;
    }
}
