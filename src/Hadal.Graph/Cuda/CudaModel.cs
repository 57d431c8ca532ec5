using Hadal.Cuda;
using Hadal.Kernels.Cuda;

namespace Hadal.Graph.Cuda;

/// <summary>A program on a card whose pages are yet to be made: how many there can be is known only now that the weights are there.</summary>
public sealed class CudaModel : IDisposable
{
    private readonly CudaKernels _kernels;
    private readonly CudaStream _stream;
    private readonly CudaProgram _program;
    private readonly CudaOptions _options;

    internal CudaModel(CudaContext context, CudaKernels kernels, CudaStream stream, CudaProgram program, CudaOptions options)
    {
        Context = context;
        _kernels = kernels;
        _stream = stream;
        _program = program;
        _options = options;
    }

    internal CudaContext Context { get; }

    /// <summary>Bytes that the weights left of the card's memory.</summary>
    public long FreeMemory => Context.Memory.Free;

    /// <summary>Makes the pages. The runner owns everything from here on.</summary>
    public CudaModelRunner CreateRunner(int vocabSize, int maxContextLen, int numBlocks)
        => new(Context, _kernels, _stream, _program, _options, vocabSize, maxContextLen, numBlocks);

    public void Dispose()
    {
        _program.Dispose();
        _stream.Dispose();
        _kernels.Dispose();
        Context.Dispose();
    }
}
