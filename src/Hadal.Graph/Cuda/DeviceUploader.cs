using Hadal.Cuda;
using Hadal.Jit;

namespace Hadal.Graph.Cuda;

/// <summary>Fills device memory from rows that are decoded or copied on the host, in parallel, while the piece before is on its way.</summary>
internal sealed unsafe class DeviceUploader : IDisposable
{
    private const long PieceBytes = 32L << 20;
    private const int NumPieces = 3;

    private readonly WorkerPool _pool;
    private readonly CudaStream _stream;
    private readonly PinnedBuffer[] _pieces = new PinnedBuffer[NumPieces];
    private readonly CudaEvent[] _copied = new CudaEvent[NumPieces];
    private int _next;
    private bool _disposed;

    public DeviceUploader(CudaContext context, WorkerPool pool)
    {
        _pool = pool;
        _stream = context.NewStream();
        for (int i = 0; i < NumPieces; i++)
        {
            _pieces[i] = context.AllocatePinned(PieceBytes);
            _copied[i] = context.NewEvent(timing: false);
        }
    }

    /// <summary>Writes a row's bytes; called from several threads, each row once.</summary>
    public delegate void FillRow(int row, byte* destination);

    /// <summary>Writes rows [0, rows) of <paramref name="rowBytes"/> each from <paramref name="destination"/> on.</summary>
    public void Upload(nint destination, int rows, long rowBytes, FillRow fill)
    {
        if (rowBytes > PieceBytes)
        {
            throw new ArgumentOutOfRangeException(nameof(rowBytes), rowBytes, $"a row has at most {PieceBytes} bytes");
        }

        int rowsPerPiece = (int)Math.Min(rows, PieceBytes / rowBytes);
        for (int first = 0; first < rows; first += rowsPerPiece)
        {
            int count = Math.Min(rowsPerPiece, rows - first);
            int slot = _next++ % NumPieces;
            // A fresh event is done.
            _copied[slot].Synchronize();
            var work = new FillWork(fill, first, count, rowBytes, _pieces[slot].Pointer);
            _pool.Run(ref work);
            _stream.CopyToDevice(destination + (nint)(first * rowBytes), _pieces[slot].Pointer, count * rowBytes);
            _stream.Record(_copied[slot]);
        }
    }

    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stream.Synchronize();
        for (int i = 0; i < NumPieces; i++)
        {
            _copied[i].Dispose();
            _pieces[i].Dispose();
        }

        _stream.Dispose();
    }

    private struct FillWork(FillRow fill, int first, int count, long rowBytes, byte* piece) : IWork
    {
        private int _nextRow;

        public void Run(int worker, int numWorkers)
        {
            // Rows by the megabyte, so that the counter is no bottleneck.
            int run = (int)Math.Max(1, (1 << 20) / rowBytes);
            while (true)
            {
                int from = Interlocked.Add(ref _nextRow, run) - run;
                if (from >= count)
                {
                    return;
                }

                for (int row = from; row < Math.Min(from + run, count); row++)
                {
                    fill(first + row, piece + (row * rowBytes));
                }
            }
        }
    }
}
