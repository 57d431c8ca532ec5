using Hadal.Graph.Execution;
using Hadal.Kernels;
using Hadal.Kernels.Paging;
using Hadal.Numerics;

namespace Hadal.Graph.Cpu;

/// <summary>A multi-token-prediction layer as a program of its own, with its pages under the model's block ids and its last output.</summary>
public sealed unsafe class CpuMtp : IDisposable
{
    private readonly CpuProgram _program;
    private readonly NativeBuffer _pages;
    private readonly CpuStep _step;
    private NativeBuffer _hidden = new(0);
    private int _hiddenRows;

    /// <param name="program">The compiled layer: outputs <c>logits</c> and <c>hidden</c>, both [L, …], and one layer of pages; disposed with this.</param>
    /// <param name="options">Page size and type.</param>
    /// <param name="numBlocks">Pages the model has.</param>
    public CpuMtp(CpuProgram program, CpuOptions options, int numBlocks)
    {
        _program = program;
        int width = program.Graph.KvWidths.Single();
        _pages = new NativeBuffer(checked((nuint)numBlocks * (nuint)options.BlockSize * (nuint)width * (nuint)options.KvDType.BlockBytes));
        _step = program.NewStep([new KvPages(_pages.Pointer, options.KvDType, width)]);
    }

    public CpuProgram Program => _program;

    public long KvBytes => (long)_pages.ByteLength;

    public long ActivationBytes => _step.ByteLength + (long)_hidden.ByteLength;

    /// <param name="batch">Tokens, positions and pages.</param>
    /// <param name="rows">For each token its row in the hidden states.</param>
    /// <param name="model">The model's hidden states; null for this layer's own of the last run.</param>
    /// <returns>[L, V] logits, valid until the next run.</returns>
    internal MatrixF32 Run(StepBatch batch, ReadOnlySpan<int> rows, MatrixF32? model)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(rows.Length, batch.NumTokens, nameof(rows));
        int columns = _program.Graph.Outputs["hidden"].Columns;
        MatrixF32 logits;
        fixed (int* p = rows)
        {
            _step.PreviousHidden = model ?? new MatrixF32(_hidden.As<float>(), _hiddenRows, columns, columns);
            _step.PreviousRows = p;
            logits = _program.Run(_step, batch);
        }

        // The arena is the next run's; what it reads must lie elsewhere.
        MatrixF32 hidden = _program.Output(_step, "hidden");
        NativeBuffer.Grow(ref _hidden, (nuint)hidden.Rows * (nuint)columns * sizeof(float));
        _hiddenRows = hidden.Rows;
        for (int row = 0; row < hidden.Rows; row++)
            hidden.RowSpan(row).CopyTo(new Span<float>(_hidden.As<float>() + ((nint)row * columns), columns));
        return logits;
    }

    public void Dispose()
    {
        _step.Dispose();
        _program.Dispose();
        _pages.Dispose();
        _hidden.Dispose();
    }
}
