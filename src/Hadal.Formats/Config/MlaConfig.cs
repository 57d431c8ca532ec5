namespace Hadal.Formats.Config;

/// <summary>Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1).</summary>
/// <param name="QLoraRank">Rank of the compressed query; null where queries are projected directly (V2-Lite).</param>
/// <param name="KvLoraRank">Width C of the latent that the cache holds for keys and values together.</param>
/// <param name="QkNopeHeadDim">Width of the part of q and k without position.</param>
/// <param name="QkRopeHeadDim">Width R of the rotated part; the key's is shared by all heads.</param>
/// <param name="VHeadDim">Width of one head's value.</param>
public sealed record MlaConfig(int? QLoraRank, int KvLoraRank, int QkNopeHeadDim, int QkRopeHeadDim, int VHeadDim)
{
    public int QkHeadDim => QkNopeHeadDim + QkRopeHeadDim;
}
