namespace Hadal.Formats.Config;

public enum TopkMethod
{
    /// <summary>The k largest scores.</summary>
    Greedy,

    /// <summary>Groups ranked by their largest score; the k largest scores within the best groups (V2).</summary>
    GroupLimitedGreedy,

    /// <summary>Scores plus a correction bias choose; groups ranked by the sum of their two largest; weights are the scores without the bias (V3).</summary>
    NoauxTc,
}
