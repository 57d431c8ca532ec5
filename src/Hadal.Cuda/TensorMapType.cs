namespace Hadal.Cuda;

/// <summary>Elements of a tensor map (CUtensorMapDataType).</summary>
public enum TensorMapType
{
    U8 = 0,
    U16 = 1,
    U32 = 2,
    I32 = 3,
    F16 = 6,
    F32 = 7,
    Bf16 = 9,
}
