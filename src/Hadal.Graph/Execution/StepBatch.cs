using System.Diagnostics;
using System.Runtime.InteropServices;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Graph.Execution;

/// <summary>
/// The input of one step, built anew each time in buffers that are kept: which tokens of which sequences to compute and whose logits are wanted.
/// Fill with <see cref="Reset"/>, then one <see cref="AddSequence"/> per sequence. Allocates only when a limit grows.
/// </summary>
public sealed unsafe class StepBatch : IDisposable
{
    private NativeBuffer _tokens = NativeBuffer.Of<int>(64);
    private NativeBuffer _positions = NativeBuffer.Of<int>(64);
    private NativeBuffer _slots = NativeBuffer.Of<long>(64);
    private NativeBuffer _logitRows = NativeBuffer.Of<int>(64);
    private NativeBuffer _cuSeqLens = NativeBuffer.Of<int>(65);
    private NativeBuffer _contextLens = NativeBuffer.Of<int>(64);
    private NativeBuffer _blockTables = NativeBuffer.Of<int>(64);
    private int[] _adapters = [];
    private int _maxSequences;

    public StepBatch(int blockSize)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(blockSize);
        BlockSize = blockSize;
    }

    public int BlockSize { get; }

    public int NumTokens { get; private set; }

    public int NumSequences { get; private set; }

    /// <summary>Rows of logits the step gives: row i belongs to token <see cref="LogitRows"/>[i].</summary>
    public int NumLogitRows { get; private set; }

    /// <summary>Some sequence has an adapter.</summary>
    public bool HasAdapters { get; private set; }

    public int MaxBlocksPerSequence { get; private set; } = 1;

    public int* Tokens => _tokens.As<int>();

    /// <summary>[NumLogitRows]: indices into the step's tokens, ascending.</summary>
    public int* LogitRows => _logitRows.As<int>();

    /// <summary>Longest context of the step, for scratch planning.</summary>
    public int MaxContextLen { get; private set; }

    /// <summary>Number of the sequence's adapter, as <see cref="IAdapterRunner.Adapters"/> has them; 0 for none.</summary>
    public int AdapterOf(int sequence) => _adapters[sequence];

    /// <param name="maxSequences">Sequences that will be added at the most.</param>
    /// <param name="maxBlocksPerSequence">Longest block table among them.</param>
    public void Reset(int maxSequences, int maxBlocksPerSequence)
    {
        NumTokens = NumSequences = NumLogitRows = MaxContextLen = 0;
        _maxSequences = maxSequences;
        HasAdapters = false;
        if (_adapters.Length < maxSequences)
        {
            _adapters = new int[maxSequences];
        }

        MaxBlocksPerSequence = Math.Max(1, maxBlocksPerSequence);
        Grow<int>(ref _cuSeqLens, maxSequences + 1, 0);
        Grow<int>(ref _contextLens, maxSequences, 0);
        Grow<int>(ref _blockTables, (nint)maxSequences * MaxBlocksPerSequence, 0);
        _cuSeqLens.As<int>()[0] = 0;
    }

    /// <summary>Adds the tokens [firstPosition, firstPosition + tokens.Length) of one sequence.</summary>
    /// <param name="tokens">The tokens to compute, in order.</param>
    /// <param name="firstPosition">Tokens of the sequence that the pages hold already.</param>
    /// <param name="blockTable">Pages of the sequence; they must cover the new tokens too.</param>
    /// <param name="logits">Whose logits are wanted.</param>
    /// <param name="adapter">Number of its adapter; 0 for none.</param>
    /// <returns>Index of the first logit row of this sequence (its rows are consecutive), or -1 for none.</returns>
    public int AddSequence(ReadOnlySpan<int> tokens, int firstPosition, ReadOnlySpan<int> blockTable, LogitsWanted logits, int adapter = 0)
    {
        int n = tokens.Length;
        int context = firstPosition + n;
        Debug.Assert(NumSequences < _maxSequences, "more sequences than Reset was told");
        ArgumentOutOfRangeException.ThrowIfZero(n, nameof(tokens));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blockTable.Length, MaxBlocksPerSequence, nameof(blockTable));
        ArgumentOutOfRangeException.ThrowIfLessThan((long)blockTable.Length * BlockSize, context, nameof(blockTable));
        Grow<int>(ref _tokens, NumTokens + n, NumTokens);
        Grow<int>(ref _positions, NumTokens + n, NumTokens);
        Grow<long>(ref _slots, NumTokens + n, NumTokens);
        Grow<int>(ref _logitRows, NumLogitRows + n, NumLogitRows);
        tokens.CopyTo(new Span<int>(Tokens + NumTokens, n));
        int* positions = _positions.As<int>() + NumTokens;
        long* slots = _slots.As<long>() + NumTokens;
        for (int i = 0; i < n; i++)
        {
            int p = firstPosition + i;
            positions[i] = p;
            slots[i] = ((long)blockTable[p / BlockSize] * BlockSize) + (p % BlockSize);
        }

        blockTable.CopyTo(new Span<int>(_blockTables.As<int>() + ((nint)NumSequences * MaxBlocksPerSequence), blockTable.Length));
        int first = -1;
        int from = logits switch
        {
            LogitsWanted.All => 0,
            LogitsWanted.Last => n - 1,
            _ => n,
        };
        if (from < n)
        {
            first = NumLogitRows;
            for (int i = from; i < n; i++)
            {
                LogitRows[NumLogitRows++] = NumTokens + i;
            }
        }

        NumTokens += n;
        _adapters[NumSequences] = adapter;
        HasAdapters |= adapter != 0;
        _contextLens.As<int>()[NumSequences] = context;
        NumSequences++;
        _cuSeqLens.As<int>()[NumSequences] = NumTokens;
        MaxContextLen = Math.Max(MaxContextLen, context);
        return first;
    }

    public PagedBatch AsPagedBatch() => new()
    {
        NumTokens = NumTokens,
        NumSequences = NumSequences,
        CuSeqLens = _cuSeqLens.As<int>(),
        ContextLens = _contextLens.As<int>(),
        BlockTables = _blockTables.As<int>(),
        MaxBlocksPerSequence = MaxBlocksPerSequence,
        BlockSize = BlockSize,
        Positions = _positions.As<int>(),
        SlotMapping = _slots.As<long>(),
    };

    public void Dispose()
    {
        _tokens.Dispose();
        _positions.Dispose();
        _slots.Dispose();
        _logitRows.Dispose();
        _cuSeqLens.Dispose();
        _contextLens.Dispose();
        _blockTables.Dispose();
    }

    private static void Grow<T>(ref NativeBuffer buffer, nint count, nint keep)
        where T : unmanaged
    {
        if (buffer.ByteLength >= (nuint)count * (nuint)sizeof(T))
        {
            return;
        }

        var bigger = NativeBuffer.Of<T>(Math.Max(count, count + (count / 2)));
        NativeMemory.Copy(buffer.Pointer, bigger.Pointer, (nuint)keep * (nuint)sizeof(T));
        buffer.Dispose();
        buffer = bigger;
    }
}
