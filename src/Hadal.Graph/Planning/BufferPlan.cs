using Hadal.Graph.Ir;

namespace Hadal.Graph.Planning;

/// <summary>Where each value lies in the arena of its row symbol, in bytes per row: value v of a step with capacity R rows starts at Offset(v) * R.</summary>
public sealed class BufferPlan
{
    internal BufferPlan(IReadOnlyDictionary<Value, long> offsets, IReadOnlyDictionary<RowSymbol, long> bytesPerRow, long naive, long lowerBound)
    {
        Offsets = offsets;
        BytesPerRow = bytesPerRow;
        NaiveBytesPerToken = naive;
        LowerBoundBytesPerToken = lowerBound;
    }

    /// <summary>Of roots only; a view lies in its root.</summary>
    public IReadOnlyDictionary<Value, long> Offsets { get; }

    /// <summary>Size of each arena, per row.</summary>
    public IReadOnlyDictionary<RowSymbol, long> BytesPerRow { get; }

    /// <summary>Bytes per token with a buffer of its own for every value.</summary>
    public long NaiveBytesPerToken { get; }

    /// <summary>Bytes per token alive together at the worst moment: no plan can do better.</summary>
    public long LowerBoundBytesPerToken { get; }
}
