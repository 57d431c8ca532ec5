namespace Hadal.Optimize.Quantization;

/// <summary>What rounding a matrix cost.</summary>
/// <param name="Error">Σ importance·(w − ŵ)²</param>
/// <param name="Total">Σ importance·w²</param>
public readonly record struct MatrixError(double Error, double Total)
{
    /// <summary>Root of the share; with importance it estimates the relative error of the product, inputs taken as uncorrelated.</summary>
    public double Relative => Total > 0 ? Math.Sqrt(Error / Total) : 0;

    public MatrixError Plus(MatrixError other) => new(Error + other.Error, Total + other.Total);
}
