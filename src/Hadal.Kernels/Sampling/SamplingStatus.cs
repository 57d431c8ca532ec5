namespace Hadal.Kernels.Sampling;

/// <summary>What sampling says of a row, beside its token.</summary>
public enum SamplingStatus
{
    /// <summary>The token is good.</summary>
    Ok = 0,

    /// <summary>The row holds NaN.</summary>
    NotANumber = 1,

    /// <summary>The largest logit is infinite.</summary>
    Infinite = 2,

    /// <summary>Every logit is -infinity: all tokens are banned.</summary>
    AllBanned = 3,
}
