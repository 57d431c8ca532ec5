namespace Hadal.Kernels.MatMul;

/// <summary>x / sqrt(mean(x²) + eps) · w of the rows that a matmul takes.</summary>
/// <param name="Weight">[K] f32 on the card, aligned to 16 bytes.</param>
/// <param name="Eps">Added to the mean.</param>
/// <param name="Rows">int32 on the card, which rows of x are taken; 0 for all in order.</param>
public readonly record struct RowNorm(nint Weight, float Eps, nint Rows = 0);
