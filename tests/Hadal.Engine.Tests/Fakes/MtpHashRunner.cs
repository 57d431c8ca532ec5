using Hadal.Graph.Execution;
using Hadal.Kernels.Paging;

namespace Hadal.Engine.Tests.Fakes;

/// <summary>
/// A <see cref="PagedHashRunner"/> with a layer that predicts perfectly where it is used right: its hidden states are the hashes of contexts. A row, token,
/// position or page that is not the one that goes with it shows in the acceptance, or here.
/// </summary>
internal sealed unsafe class MtpHashRunner(PagedHashRunner inner) : IMtpRunner
{
    private readonly (ulong Hash, int Token)[] _entries = new (ulong, int)[inner.NumBlocks * inner.BlockSize];
    private readonly List<(ulong Hash, int Position, long Slot)> _own = [];
    private float[] _logits = [];

    public int VocabSize => inner.VocabSize;

    public int MaxContextLen => inner.MaxContextLen;

    public int BlockSize => inner.BlockSize;

    public int NumBlocks => inner.NumBlocks;

    public bool HasMtp => true;

    /// <summary>Of a hash: whether the guess is spoiled.</summary>
    public Func<ulong, bool> Spoils { get; set; } = _ => false;

    /// <summary>Check that the layer's context is whole. Not so where pages are shared, whose entries may be another's.</summary>
    public bool ChecksContext { get; set; }

    public int NumRuns { get; private set; }

    public long NumTokens { get; private set; }

    /// <summary>Called before each run of the layer; may throw.</summary>
    public Action? BeforeMtp { get; set; }

    public ReadOnlySpan<float> Run(StepBatch batch) => inner.Run(batch);

    public ReadOnlySpan<float> RunMtp(StepBatch batch, ReadOnlySpan<int> hiddenRows, bool again)
    {
        BeforeMtp?.Invoke();
        NumRuns++;
        NumTokens += batch.NumTokens;
        Assert.Equal(batch.NumTokens, hiddenRows.Length);
        (ulong Hash, int Position, long Slot)[] source = [.. again ? _own : inner.Rows];
        PagedBatch pages = batch.AsPagedBatch();
        _own.Clear();
        _logits = new float[batch.NumLogitRows * VocabSize];
        int row = 0;
        for (int b = 0; b < batch.NumSequences; b++)
        {
            for (int t = pages.CuSeqLens[b]; t < pages.CuSeqLens[b + 1]; t++)
            {
                (ulong hash, int position, long slot) = source[hiddenRows[t]];
                // Where another sequence computed the same block, its page has taken this one's place.
                if (again || !ChecksContext)
                    Assert.Equal(position % BlockSize, pages.SlotMapping[t] % BlockSize);
                else
                    Assert.Equal(slot, pages.SlotMapping[t]);
                int token = batch.Tokens[t];
                hash = HashModel.Mix(hash, token, position + 1);
                _entries[pages.SlotMapping[t]] = (hash, token);
                if (row < batch.NumLogitRows && batch.LogitRows[row] == t)
                {
                    Span<float> logits = _logits.AsSpan(row++ * VocabSize, VocabSize);
                    HashModel.Logits(hash, logits);
                    if (Spoils(hash))
                        logits.Reverse();
                    _own.Add((hash, position + 1, -1));
                }

                if (ChecksContext)
                    CheckContext(pages, b, pages.Positions[t], position);
            }
        }

        return _logits;
    }

    public void Dispose() => inner.Dispose();

    private void CheckContext(PagedBatch pages, int b, int relative, int position)
    {
        Assert.Equal(position % BlockSize, relative % BlockSize);
        for (int p = 1; p <= relative; p++)
        {
            (ulong hash, int token) = At(p);
            Assert.Equal(HashModel.Mix(At(p - 1).Hash, token, position - relative + p + 1), hash);
        }

        (ulong Hash, int Token) At(int p) => _entries[(pages.BlockTables[(b * pages.MaxBlocksPerSequence) + (p / BlockSize)] * BlockSize) + (p % BlockSize)];
    }
}
