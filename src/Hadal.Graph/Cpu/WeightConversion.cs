namespace Hadal.Graph.Cpu;

/// <summary>What the matrices of linear operations and experts are computed from.</summary>
public enum WeightConversion
{
    /// <summary>Their bits as stored.</summary>
    AsStored,

    /// <summary>int8 with one scale per output row, made at load.</summary>
    Int8,
}
