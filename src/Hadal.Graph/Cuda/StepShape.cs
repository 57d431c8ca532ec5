using Hadal.Graph.Ir;

namespace Hadal.Graph.Cuda;

/// <summary>Sizes of a step as launches see them, padding included: steps of equal shape run the same launches.</summary>
/// <param name="NumTokens">T.</param>
/// <param name="NumSequences">B.</param>
/// <param name="NumLogitRows">L.</param>
/// <param name="MaxBlocks">Columns of the block tables: no context is longer than this many pages.</param>
/// <param name="MaxQueryLen">Most tokens of one sequence.</param>
internal readonly record struct StepShape(int NumTokens, int NumSequences, int NumLogitRows, int MaxBlocks, int MaxQueryLen)
{
    public int Rows(RowSymbol symbol) => symbol == RowSymbol.Tokens ? NumTokens : NumLogitRows;

    /// <summary>The smallest size of batch that steps of <paramref name="n"/> sequences are padded to: few sizes, and little padding.</summary>
    public static int Bucket(int n) => n switch
    {
        <= 2 => n,
        <= 8 => (n + 1) / 2 * 2,
        <= 32 => (n + 3) / 4 * 4,
        <= 128 => (n + 15) / 16 * 16,
        _ => (n + 31) / 32 * 32,
    };
}
