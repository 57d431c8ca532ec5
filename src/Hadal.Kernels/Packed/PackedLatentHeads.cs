using Hadal.Numerics;

namespace Hadal.Kernels.Packed;

/// <summary>A latent up-projection [H·(Dn+Dv), C] cut by head and packed: what attention in the latent's space multiplies queries and outputs by.</summary>
/// <param name="KeysTransposed">[H] of W_UK[h]ᵀ, [C, Dn], in bf16: its columns cross the scales of stored formats.</param>
/// <param name="Values">[H] of W_UV[h], [Dv, C], in the stored type's own format; in bf16 where that cannot be cut between heads.</param>
public sealed record PackedLatentHeads(PackedMatrix[] KeysTransposed, PackedMatrix[] Values)
{
    public long ByteLength { get; } = KeysTransposed.Sum(m => m.ByteLength) + Values.Sum(m => m.ByteLength);

    /// <summary>The memory of every matrix, keys first.</summary>
    public NativeRegion[] Storage() => [.. KeysTransposed.Concat(Values).Select(m => m.Storage)];
}
