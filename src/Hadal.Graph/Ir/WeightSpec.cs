namespace Hadal.Graph.Ir;

/// <summary>A weight the model asks the checkpoint for: [Rows, Columns], or a vector of Rows (Columns = 0).</summary>
public sealed record WeightSpec(string Name, int Rows, int Columns)
{
    public bool IsVector => Columns == 0;

    public long NumElements => IsVector ? Rows : (long)Rows * Columns;

    /// <summary>Keep it as precise as stored, whatever the weights are converted to (routers: a flipped choice costs more than the bytes).</summary>
    public bool KeepPrecision { get; init; }

    public static WeightSpec Matrix(string name, int rows, int columns) => new(name, rows, columns);

    public static WeightSpec Vector(string name, int length) => new(name, length, 0);

    public override string ToString() => IsVector ? $"{Name} [{Rows}]" : $"{Name} [{Rows}, {Columns}]";
}
