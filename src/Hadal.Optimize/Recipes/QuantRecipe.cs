using Hadal.Numerics;
using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Recipes;

/// <summary>All that decides what a checkpoint becomes, besides the calibration text: read from and written to JSON.</summary>
public sealed record QuantRecipe
{
    public QuantMethod Method { get; init; } = QuantMethod.Rtn;

    /// <summary>Columns with one scale, of int4 and int8-weight; 0 for whole rows.</summary>
    public int GroupSize { get; init; }

    /// <summary>SmoothQuant's α (arXiv:2211.10438): how far outliers of activations move into weights; null for not at all.</summary>
    public double? Smooth { get; init; }

    /// <summary>Weights of channels with large activations are scaled up before rounding (arXiv:2306.00978), as far as it lowers the error.</summary>
    public bool ActivationAware { get; init; }

    /// <summary>GPTQ: share of the mean of H's diagonal that is added to it.</summary>
    public double Damping { get; init; } = 0.01;

    /// <summary>The first rule that matches a unit decides; a unit that none matches stays bf16.</summary>
    public IReadOnlyList<QuantRule> Rules { get; init; } = [];

    /// <summary>Whether calibration text must be run through the model.</summary>
    public bool NeedsCalibration => Method == QuantMethod.Gptq || Smooth is not null || ActivationAware;

    /// <summary>All matrices of layers to one format.</summary>
    public static QuantRecipe Uniform(WeightFormat format) => new()
    {
        Rules = [new QuantRule("model.layers.*", format, "asked for")],
    };

    public QuantRule? RuleFor(QuantUnit unit) => Rules.FirstOrDefault(r => r.Matches(unit.Name));

    public WeightFormat FormatOf(QuantUnit unit) => RuleFor(unit)?.Format ?? WeightFormat.Bf16;

    /// <exception cref="HadalException">A rule matches nothing, or a shape does not fit its format.</exception>
    public void Check(IReadOnlyList<QuantUnit> units, string origin)
    {
        foreach (QuantRule rule in Rules.Where(r => !units.Any(u => r.Matches(u.Name))))
        {
            throw new HadalException($"{origin}: the rule for '{rule.Match}' matches none of the {units.Count} units of this model; they are named like '{units[0].Name}'.");
        }

        foreach (QuantUnit unit in units)
        {
            var settings = new MatrixSettings(FormatOf(unit), GroupSize);
            foreach (Graph.Ir.WeightSpec w in unit.Weights)
            {
                _ = settings.Plan(w.Name, w.Rows, w.Columns, deepSeekNames: false);
            }
        }
    }
}
