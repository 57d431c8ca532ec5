using Hadal.Cli.Session;

namespace Hadal.Cli.Verbs;

internal sealed record InspectReport
{
    public required string Model { get; init; }

    public required string ModelType { get; init; }

    /// <summary>Elements of the weights the model computes with.</summary>
    public required long Parameters { get; init; }

    /// <summary>Of those, how many one token touches: all but the experts it does not choose, and one row of the embedding.</summary>
    public required long ActiveParameters { get; init; }

    public required int Layers { get; init; }

    public required int HiddenSize { get; init; }

    public required int VocabSize { get; init; }

    public required int MaxContext { get; init; }

    public required string Attention { get; init; }

    public string? Experts { get; init; }

    public required long KvBytesPerTokenF32 { get; init; }

    public required long KvBytesPerTokenBf16 { get; init; }

    public long? WeightBytes { get; init; }

    /// <summary>Tensors and bytes by element type, as stored, or as --weight-dtype makes them.</summary>
    public IReadOnlyList<WeightTotal> Dtypes { get; init; } = [];

    public bool MultiTokenPrediction { get; init; }

    public IReadOnlyList<TensorLine>? Tensors { get; init; }

    internal sealed record TensorLine(string Name, string Dtype, IReadOnlyList<long> Shape, long Bytes, string File);
}
