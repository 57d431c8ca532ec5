using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Kernels;

namespace Hadal.Optimize.Calibration;

/// <summary>What matrices are multiplied with on the calibration text, at the moment that they would be.</summary>
/// <param name="weights">All matrices that read exactly this input; of one expert its gate and up, or its down.</param>
/// <param name="rows">[T, K], valid only while it is visited. Of an expert the rows routed to it: there may be none.</param>
/// <param name="producer">What made the input: the vector of a norm, or the matrix whose rows are its columns; null where it is neither.</param>
/// <param name="pool">Workers.</param>
public sealed class MatrixInput(IReadOnlyList<WeightSpec> weights, MatrixF32 rows, WeightSpec? producer, WorkerPool pool)
{
    public IReadOnlyList<WeightSpec> Weights { get; } = weights;

    public MatrixF32 Rows { get; } = rows;

    public WeightSpec? Producer { get; } = producer;

    public WorkerPool Pool { get; } = pool;
}
