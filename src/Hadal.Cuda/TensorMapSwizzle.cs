namespace Hadal.Cuda;

/// <summary>How 16-byte pieces of a row are shuffled in shared memory (CUtensorMapSwizzle): the box's row is at most so long.</summary>
public enum TensorMapSwizzle
{
    None = 0,
    Bytes32 = 1,
    Bytes64 = 2,
    Bytes128 = 3,
}
