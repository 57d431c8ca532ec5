namespace Hadal.Engine.Speculation;

/// <summary>What a step costs by the number of its rows, as measured of late. Between rows that were measured costs are taken to lie on a line. One thread; allocates nothing.</summary>
internal sealed class StepCosts
{
    // Up to this many each has a place of its own; beyond, four to a doubling.
    private const int NumExact = 16;
    private const int PerDoubling = 4;
    private const int NumBuckets = NumExact + (PerDoubling * 24);

    /// <summary>Measurements are forgotten after so many steps: contexts grow, machines have neighbours.</summary>
    private const long MaxAge = 1024;

    private readonly double[] _rows = new double[NumBuckets];
    private readonly double[] _ticks = new double[NumBuckets];
    private readonly int[] _counts = new int[NumBuckets];
    private readonly long[] _measuredAt = new long[NumBuckets];
    private long _now = MaxAge;

    /// <summary>One more step has been.</summary>
    public void Tick() => _now++;

    public void Add(int rows, long ticks)
    {
        int b = Bucket(rows);
        if (!IsKnown(b))
            _counts[b] = 0;
        double sample = ticks;
        if (_counts[b] == 0 || sample < 0.5 * _ticks[b])
        {
            // The first steps of a process are slow while code is compiled; what is so much faster is the truth.
            (_rows[b], _ticks[b]) = (rows, sample);
        }
        else
        {
            // A step during which the processor was away says little.
            sample = Math.Min(sample, 2 * _ticks[b]);
            double weight = Math.Max(0.1, 1.0 / (_counts[b] + 1));
            _rows[b] += weight * (rows - _rows[b]);
            _ticks[b] += weight * (sample - _ticks[b]);
        }

        _counts[b]++;
        _measuredAt[b] = _now;
    }

    /// <summary>Steps since so many rows were measured.</summary>
    public long Age(int rows) => _counts[Bucket(rows)] == 0 ? long.MaxValue : _now - _measuredAt[Bucket(rows)];

    /// <summary>Ticks of a step of so many rows. Beyond the largest measured no more than for that: what has not been tried is worth a try.</summary>
    public double Predict(int rows)
    {
        int b = Bucket(rows);
        if (IsKnown(b))
            return _ticks[b];
        int below = b - 1;
        while (below >= 0 && !IsKnown(below))
            below--;
        int above = b + 1;
        while (above < NumBuckets && !IsKnown(above))
            above++;
        if (above == NumBuckets)
            return below < 0 ? 0 : _ticks[below];
        if (below < 0)
            return _ticks[above];
        double share = (rows - _rows[below]) / (_rows[above] - _rows[below]);
        return _ticks[below] + (share * (_ticks[above] - _ticks[below]));
    }

    private bool IsKnown(int bucket) => _counts[bucket] > 0 && _now - _measuredAt[bucket] <= MaxAge;

    private static int Bucket(int rows)
        => rows <= NumExact ? Math.Max(rows, 1) - 1 : Math.Min(NumBuckets - 1, NumExact - 1 + (int)Math.Ceiling(PerDoubling * Math.Log2(rows / (double)NumExact)));
}
