using Hadal.Graph.Execution;

namespace Hadal.Cli.Session;

/// <summary>All logits of a sequence, piece by piece: a step holds the logits of its tokens at once, so long sequences go in pieces.</summary>
internal sealed class SequenceLogits
{
    // A quarter of a GiB of logits a step.
    private const long MaxLogitsPerStep = 1L << 26;

    private readonly IModelRunner _runner;
    private readonly int _piece;

    /// <param name="runner">The model; its first pages are used.</param>
    /// <param name="piece">Tokens a step; 0 for as many as are sensible.</param>
    public SequenceLogits(IModelRunner runner, int piece = 0)
    {
        _runner = runner;
        _piece = piece > 0 ? piece : (int)Math.Clamp(MaxLogitsPerStep / runner.VocabSize, 16, 1024);
    }

    public delegate void Receive(int firstPosition, ReadOnlySpan<float> logits);

    /// <summary>Runs the sequence from its beginning; <paramref name="receive"/> gets [n, V] for each piece.</summary>
    public void Run(ReadOnlySpan<int> tokens, Receive receive, CancellationToken cancellationToken)
    {
        using var batch = new StepBatch(_runner.BlockSize);
        int[] table = [.. Enumerable.Range(0, (tokens.Length + _runner.BlockSize - 1) / _runner.BlockSize)];
        for (int from = 0; from < tokens.Length; from += _piece)
        {
            cancellationToken.ThrowIfCancellationRequested();
            int n = Math.Min(_piece, tokens.Length - from);
            batch.Reset(1, table.Length);
            batch.AddSequence(tokens.Slice(from, n), from, table, LogitsWanted.All);
            receive(from, _runner.Run(batch));
        }
    }
}
