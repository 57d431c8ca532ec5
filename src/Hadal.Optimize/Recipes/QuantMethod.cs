namespace Hadal.Optimize.Recipes;

/// <summary>How weights are rounded.</summary>
public enum QuantMethod
{
    /// <summary>To nearest, scales of groups by least squared error.</summary>
    Rtn,

    /// <summary>Column by column, the error of each taken up by those behind it (arXiv:2210.17323). Needs calibration text.</summary>
    Gptq,
}
