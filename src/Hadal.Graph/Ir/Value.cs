namespace Hadal.Graph.Ir;

/// <summary>A matrix that flows between operations: [Rows, Columns]. A view shares the memory of <see cref="Base"/> from column <see cref="Offset"/> on.</summary>
public sealed class Value
{
    internal Value(int id, RowSymbol rows, int columns, ElementType type, Value? @base = null, int offset = 0)
    {
        Id = id;
        Rows = rows;
        Columns = columns;
        Type = type;
        Base = @base?.Root;
        Offset = offset + (@base?.Offset ?? 0);
    }

    public int Id { get; }

    public RowSymbol Rows { get; }

    /// <summary>0 for pure ordering values (a cache write that attention must follow).</summary>
    public int Columns { get; }

    /// <summary>Float32 as models build it; a device may hold it in fewer bits.</summary>
    public ElementType Type { get; internal set; }

    /// <summary>The value whose memory this one is part of, or null.</summary>
    public Value? Base { get; internal set; }

    /// <summary>First column within <see cref="Root"/>.</summary>
    public int Offset { get; internal set; }

    public Value Root => Base ?? this;

    public override string ToString()
    {
        string shape = $"%{Id}[{(Rows == RowSymbol.Tokens ? "T" : "L")}, {Columns}]";
        return Base is null ? shape : $"{shape} = %{Base.Id}[:, {Offset}..{Offset + Columns}]";
    }
}
