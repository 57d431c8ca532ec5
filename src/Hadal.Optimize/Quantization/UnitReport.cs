namespace Hadal.Optimize.Quantization;

/// <param name="Name">The unit.</param>
/// <param name="Matrices">How many it has.</param>
/// <param name="Format">What they became.</param>
/// <param name="Bytes">Bytes they take now, scales included.</param>
/// <param name="RelativeError">Of their products with the calibration text's inputs, or of the weights where there is no text; null where nothing was rounded by this run.</param>
/// <param name="Why">Why this format.</param>
public sealed record UnitReport(string Name, int Matrices, WeightFormat Format, long Bytes, double? RelativeError, string Why);
