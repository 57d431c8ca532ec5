namespace Hadal.Kernels.MatMul;

/// <summary>What a matmul does with its sums before it stores them: y = x·Wᵀ + Bias + Residual.</summary>
public readonly unsafe struct MatMulEpilogue
{
    /// <summary>[N over all parts], or null.</summary>
    public float* Bias { get; init; }

    /// <summary>[T, N], or a matrix without data. May be the output itself (accumulate).</summary>
    public MatrixF32 Residual { get; init; }
}
