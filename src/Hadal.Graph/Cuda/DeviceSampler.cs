using System.Numerics;
using Hadal.Cuda;
using Hadal.Graph.Execution;
using Hadal.Kernels.Cuda;
using Hadal.Kernels.Sampling;

namespace Hadal.Graph.Cuda;

/// <summary>Chooses tokens from logits on the card and brings them to the host.</summary>
internal sealed unsafe class DeviceSampler(CudaKernels kernels, CudaStream stream) : IDisposable
{
    private DeviceBuffer? _workspace;
    private DeviceBuffer? _rows;
    private DeviceBuffer? _results;
    private PinnedBuffer? _hostRows;
    private PinnedBuffer? _hostResults;
    private int _capacity;

    /// <param name="logits">[L, V] f32; there may be more rows than are asked for (padding).</param>
    /// <param name="rows">One for each row that counts.</param>
    public void Launch(in DeviceMatrix logits, ReadOnlySpan<RowSampling> rows)
    {
        int count = rows.Length;
        Fit(count);
        bool greedy = true;
        var hostRows = (SamplingRow*)_hostRows!.Pointer;
        for (int i = 0; i < count; i++)
        {
            RowSampling row = rows[i];
            // A skipped row costs least as a greedy one.
            hostRows[i] = row.Skip ? new SamplingRow(0, 1, 0, 0, 0) : new SamplingRow(row.Temperature, row.TopP, row.MinP, row.TopK, row.Uniform);
            greedy &= row.Skip || row.Temperature == 0;
        }

        DeviceMatrix wanted = logits.RowRange(0, count);
        nint results = _results!.Pointer;
        nint status = results + (_capacity * sizeof(int));
        if (greedy)
        {
            SamplingCuda.RunGreedy(kernels, stream, wanted, _workspace!.Pointer, results, status);
        }
        else
        {
            stream.CopyToDevice(_rows!.Pointer, hostRows, (long)count * sizeof(SamplingRow));
            SamplingCuda.Run(kernels, stream, wanted, _rows.Pointer, _workspace!.Pointer, results, status);
        }

        // A row without a token has -1 there; why is asked of its logits.
        stream.CopyToHost(_hostResults!.Pointer, results, (long)count * sizeof(int));
    }

    /// <summary>Waits for what was launched.</summary>
    /// <param name="rows">As it was launched.</param>
    /// <param name="tokens">The tokens; -1 for rows that are skipped or have none.</param>
    public void Finish(ReadOnlySpan<RowSampling> rows, Span<int> tokens)
    {
        stream.Synchronize();
        new ReadOnlySpan<int>(_hostResults!.Pointer, rows.Length).CopyTo(tokens);
        for (int i = 0; i < rows.Length; i++)
        {
            tokens[i] = rows[i].Skip ? -1 : tokens[i];
        }
    }

    public void Dispose()
    {
        _workspace?.Dispose();
        _rows?.Dispose();
        _results?.Dispose();
        _hostRows?.Dispose();
        _hostResults?.Dispose();
    }

    private void Fit(int count)
    {
        if (count <= _capacity)
        {
            return;
        }

        stream.Synchronize();
        Dispose();
        _capacity = 0;
        int capacity = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(count, 64));
        CudaContext context = kernels.Context;
        _workspace = context.Allocate(SamplingCuda.WorkspaceBytes(capacity));
        stream.Fill(_workspace.Pointer, 0, _workspace.ByteLength);
        _rows = context.Allocate((long)capacity * sizeof(SamplingRow));
        _results = context.Allocate(2L * capacity * sizeof(int));
        _hostRows = context.AllocatePinned((long)capacity * sizeof(SamplingRow));
        _hostResults = context.AllocatePinned((long)capacity * sizeof(int));
        _capacity = capacity;
    }
}
