namespace Hadal.Graph.Ir;

/// <summary>Element type of activations.</summary>
public enum ElementType
{
    F32,
    Bf16,
    I32,
}
