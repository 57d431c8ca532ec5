using Hadal.Optimize.Recipes;
using Hadal.Optimize.Sensitivity;

namespace Hadal.Optimize.Quantization;

/// <summary>What <see cref="QuantizeJob"/> is asked for.</summary>
public sealed record QuantizeOptions
{
    /// <summary>The folder to make.</summary>
    public required string Output { get; init; }

    /// <summary>What becomes what; its rules are ignored where a budget chooses them.</summary>
    public required QuantRecipe Recipe { get; init; }

    /// <summary>For messages: the recipe's file, or the option that made it.</summary>
    public required string RecipeOrigin { get; init; }

    /// <summary>Formats are searched for until this holds; null where the recipe says them.</summary>
    public QuantBudget? Budget { get; init; }

    /// <summary>Formats a search may choose, besides bf16.</summary>
    public IReadOnlyList<WeightFormat> Formats { get; init; } = [WeightFormat.Fp8Block, WeightFormat.Int8];

    /// <summary>Layers whose units of one role are measured together and get one format: fewer measurements of a large model.</summary>
    public int LayerGroup { get; init; } = 1;

    /// <summary>Text as tokens; empty for none.</summary>
    public IReadOnlyList<int[]> Calibration { get; init; } = [];

    /// <summary>Where the text is from, for the report.</summary>
    public string CalibrationOrigin { get; init; } = "none";

    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Throw away what an interrupted run left, whatever its settings.</summary>
    public bool Restart { get; init; }

    /// <summary>Compare the result with its base on text kept back from calibration.</summary>
    public bool Compare { get; init; } = true;
}
