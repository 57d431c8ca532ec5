using Hadal.Graph.Execution;
using Hadal.Kernels.Paging;

namespace Hadal.Engine.Tests.Fakes;

/// <summary>
/// <see cref="HashModel"/> on paged memory: keeps token and position by slot, as a model keeps keys and values, and reads the context back
/// through the block tables. A page handed to two, shared too soon, evicted while held or not written shows in the output.
/// </summary>
internal sealed unsafe class PagedHashRunner(int vocabSize = 61, int maxContextLen = 512, int blockSize = 4, int numBlocks = 256) : IHiddenStateRunner, IAdapterRunner
{
    private readonly (int Token, int Position)[] _slots = Enumerable.Repeat((-1, -1), numBlocks * blockSize).ToArray();
    private float[] _logits = [];
    private float[] _hidden = [];

    public int VocabSize => vocabSize;

    public int MaxContextLen => maxContextLen;

    public int BlockSize => blockSize;

    public int NumBlocks => numBlocks;

    public int NumSteps { get; private set; }

    public long NumTokens { get; private set; }

    public int LargestStep { get; private set; }

    public long NumLogitRows { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>Of each token of the last step: the hash of the context up to it, its position, and its slot.</summary>
    public List<(ulong Hash, int Position, long Slot)> Rows { get; } = [];

    /// <summary>Called before each step; may throw.</summary>
    public Action<StepBatch>? BeforeStep { get; set; }

    /// <summary>Spoils rows: the context's last token, the row.</summary>
    public Action<int, float[], int>? AfterRow { get; set; }

    /// <summary>What was last written to a place.</summary>
    public int TokenAt(int block, int offset) => _slots[(block * blockSize) + offset].Token;

    public ReadOnlySpan<float> Run(StepBatch batch)
    {
        ObjectDisposedException.ThrowIf(IsDisposed, this);
        BeforeStep?.Invoke(batch);
        NumSteps++;
        NumTokens += batch.NumTokens;
        NumLogitRows += batch.NumLogitRows;
        LargestStep = Math.Max(LargestStep, batch.NumTokens);
        PagedBatch pages = batch.AsPagedBatch();
        for (int t = 0; t < batch.NumTokens; t++)
        {
            if ((uint)batch.Tokens[t] >= (uint)vocabSize)
                throw new InvalidOperationException($"token {batch.Tokens[t]} in the step");
            _slots[pages.SlotMapping[t]] = (batch.Tokens[t], pages.Positions[t]);
        }

        // Keys and values depend on the adapter: here it shows in the position.
        for (int b = 0; b < batch.NumSequences; b++)
        {
            for (int t = pages.CuSeqLens[b]; t < pages.CuSeqLens[b + 1]; t++)
                _slots[pages.SlotMapping[t]].Position += HashModel.AdapterStride * batch.AdapterOf(b);
        }

        if (_logits.Length < batch.NumLogitRows * vocabSize)
            _logits = new float[2 * batch.NumLogitRows * vocabSize];
        if (_hidden.Length < batch.NumTokens * HiddenSize)
            _hidden = new float[2 * batch.NumTokens * HiddenSize];
        int row = 0;
        Rows.Clear();
        for (int b = 0; b < batch.NumSequences; b++)
        {
            ulong hash = HashModel.Start;
            int first = pages.ContextLens[b] - (pages.CuSeqLens[b + 1] - pages.CuSeqLens[b]);
            for (int p = 0; p < pages.ContextLens[b]; p++)
            {
                int block = pages.BlockTables[(b * pages.MaxBlocksPerSequence) + (p / blockSize)];
                (int token, int position) = _slots[(block * blockSize) + (p % blockSize)];
                hash = HashModel.Mix(hash, token, position);
                int t = pages.CuSeqLens[b] + p - first;
                if (t >= pages.CuSeqLens[b])
                    HashModel.Logits(hash, _hidden.AsSpan(t * HiddenSize, HiddenSize));
                if (p >= first)
                    Rows.Add((hash, p, pages.SlotMapping[t]));
                if (row < batch.NumLogitRows && batch.LogitRows[row] == t)
                {
                    HashModel.Logits(hash, _logits.AsSpan(row * vocabSize, vocabSize));
                    AfterRow?.Invoke(token, _logits, row * vocabSize);
                    row++;
                }
            }
        }

        return _logits.AsSpan(0, batch.NumLogitRows * vocabSize);
    }

    public IReadOnlyList<string> Adapters { get; init; } = [];

    public int HiddenSize => 6;

    public ReadOnlySpan<float> FetchHidden(int firstToken, int count) => _hidden.AsSpan(firstToken * HiddenSize, count * HiddenSize);

    public void Dispose() => IsDisposed = true;
}
