using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Numerics;

namespace Hadal.Optimize.Quantization;

/// <summary>A stored matrix as it is to be quantised: its columns multiplied and its rows divided by what was moved between it and its neighbours.</summary>
public sealed class MatrixRows : IDisposable
{
    private readonly StoredMatrix _matrix;
    private readonly float[] _columnFactors;
    private readonly float[] _rowDivisors;
    private readonly string _name;

    /// <param name="source">Where it lies.</param>
    /// <param name="fp8Block">Block of the e4m3 scales, where the checkpoint has them.</param>
    /// <param name="spec">Which.</param>
    /// <param name="columnFactors">[K], or empty.</param>
    /// <param name="rowDivisors">[N], or empty.</param>
    public MatrixRows(ITensorSource source, (int Rows, int Columns)? fp8Block, WeightSpec spec, float[] columnFactors, float[] rowDivisors)
    {
        _matrix = new StoredMatrix(source, fp8Block, spec);
        _columnFactors = columnFactors;
        _rowDivisors = rowDivisors;
        _name = spec.Name;
    }

    public int Rows => _matrix.Rows;

    public int Columns => _matrix.Columns;

    public string Name => _name;

    /// <exception cref="HadalException">A number is not finite.</exception>
    public void Read(int row, Span<float> destination)
    {
        _matrix.Decode(row, destination);
        if (_columnFactors.Length > 0)
        {
            for (int k = 0; k < destination.Length; k++)
            {
                destination[k] *= _columnFactors[k];
            }
        }

        if (_rowDivisors.Length > 0)
        {
            float factor = 1 / _rowDivisors[row];
            for (int k = 0; k < destination.Length; k++)
            {
                destination[k] *= factor;
            }
        }

        // NaN and infinities make the sum so; finite ones stay far below the limit.
        double sum = 0;
        foreach (float v in destination)
        {
            sum += v;
        }

        if (!double.IsFinite(sum))
        {
            throw new HadalException($"{_name}: row {row} holds a number that is not finite; the checkpoint is damaged.");
        }
    }

    public void Dispose() => _matrix.Dispose();
}
