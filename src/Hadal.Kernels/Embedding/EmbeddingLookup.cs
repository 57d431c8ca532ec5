using Hadal.Kernels.Weights;

namespace Hadal.Kernels.Embedding;

/// <summary>y[t, :] = W[tokens[t], :]</summary>
/// <remarks>
/// W: [V, D] in any stored type; y: [T, D] f32. Ids were checked at admission; checked here again, since a wild read would be worse than a slow one.
/// On the caller's thread: a step's rows are some kilobytes a token.
/// </remarks>
public static unsafe class EmbeddingLookup
{
    public static void Forward(int* tokens, in WeightMatrix w, MatrixF32 y)
    {
        WeightDecoder.Validate(w, nameof(w));
        ArgumentOutOfRangeException.ThrowIfNotEqual(y.Columns, w.Columns, nameof(y));
        for (int t = 0; t < y.Rows; t++)
        {
            if ((uint)tokens[t] >= (uint)w.Rows)
            {
                throw new ArgumentOutOfRangeException(nameof(tokens), tokens[t], $"token {t} is not an id below {w.Rows}");
            }

            WeightDecoder.DecodeRow(w, tokens[t], 0, w.Columns, y.Row(t));
        }
    }
}
