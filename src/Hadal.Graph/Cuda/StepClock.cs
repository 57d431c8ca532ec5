using Hadal.Cuda;

namespace Hadal.Graph.Cuda;

/// <summary>How long the card works on steps, and how long it waits between them, by its own clock. Off, it costs nothing.</summary>
internal sealed class StepClock(CudaContext context) : IDisposable
{
    // Steps whose events are kept before they are read: reading waits for them, so it must not happen at every step.
    private const int Steps = 256;

    private readonly CudaEvent[] _begins = new CudaEvent[Steps];
    private readonly CudaEvent[] _ends = new CudaEvent[Steps];
    private CudaEvent? _lastEnd;
    private int _count;
    private double _busy;
    private double _idle;

    public bool IsOn { get; private set; }

    public void Switch(bool on, CudaStream stream)
    {
        if (on && _begins[0] is null)
        {
            for (int i = 0; i < Steps; i++)
            {
                _begins[i] = context.NewEvent(timing: true);
                _ends[i] = context.NewEvent(timing: true);
            }
        }

        stream.Synchronize();
        (IsOn, _count, _busy, _idle, _lastEnd) = (on, 0, 0, 0, null);
    }

    public void Begin(CudaStream stream)
    {
        if (IsOn)
        {
            if (_count == Steps)
            {
                Read(stream);
                // The reading itself is no wait of the steps.
                _lastEnd = null;
            }

            stream.Record(_begins[_count]);
        }
    }

    public void End(CudaStream stream)
    {
        if (IsOn)
        {
            stream.Record(_ends[_count++]);
        }
    }

    public (double Busy, double Idle) Read(CudaStream stream)
    {
        stream.Synchronize();
        for (int i = 0; i < _count; i++)
        {
            _busy += _ends[i].MillisecondsSince(_begins[i]);
            _idle += _lastEnd is null ? 0 : _begins[i].MillisecondsSince(_lastEnd);
            _lastEnd = _ends[i];
        }

        _count = 0;
        return (_busy, _idle);
    }

    public void Dispose()
    {
        foreach (CudaEvent? e in _begins.Concat(_ends))
        {
            e?.Dispose();
        }
    }
}
