using Hadal.Optimize.Quantization;

namespace Hadal.Optimize.Sensitivity;

/// <summary>What one format costs in one group of units, all else being as stored.</summary>
/// <param name="Units">The units, quantised together.</param>
/// <param name="Format">To what.</param>
/// <param name="Divergence">What it does to the model's answers.</param>
/// <param name="Bytes">Bytes of the units in this format, scales included.</param>
/// <param name="ActiveBytes">Of them, what decoding one token reads.</param>
public sealed record UnitSensitivity(IReadOnlyList<QuantUnit> Units, WeightFormat Format, Divergence Divergence, long Bytes, double ActiveBytes)
{
    public string Name => Units.Count == 1 ? Units[0].Name : $"{Units[0].Name} … layer {Units[^1].Layer}";
}
