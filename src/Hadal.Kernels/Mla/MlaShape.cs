using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Mla;

/// <summary>Widths of multi-head latent attention: H heads; C latent, R rotated, Dn unrotated query/key and Dv value columns a head.</summary>
public readonly record struct MlaShape(int NumHeads, int KvLoraRank, int QkRopeHeadDim, int QkNopeHeadDim, int VHeadDim)
{
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;

    /// <summary>Columns of one page row.</summary>
    public int CacheWidth => KvLoraRank + QkRopeHeadDim;

    internal void ThrowIfWeightDiffers(in WeightMatrix kvB)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(kvB.Rows, 1, nameof(kvB));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvB.Rows, NumHeads * (QkNopeHeadDim + VHeadDim), nameof(kvB));
        ArgumentOutOfRangeException.ThrowIfNotEqual(kvB.Columns, KvLoraRank, nameof(kvB));
    }
}
