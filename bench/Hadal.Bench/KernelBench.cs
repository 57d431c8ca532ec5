using System.Reflection;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Running;
using Hadal.Jit;
using Hadal.Kernels;
using Hadal.Numerics;

namespace Hadal.Bench;

/// <summary>A kernel on all processors, its memory, and what its calls must do.</summary>
public abstract unsafe class KernelBench
{
    // More than any cache: matrices that take turns until they are so much are read from memory.
    private protected const long ColdBytes = 256L << 20;

    private static readonly Dictionary<string, CaseWork> _work = new(StringComparer.Ordinal);

    private readonly List<IDisposable> _owned = [];

    private protected WorkerPool Pool { get; private set; } = null!;

    /// <summary>What a case does; null before it ran.</summary>
    internal static CaseWork? WorkOf(BenchmarkCase benchmark)
        => _work.GetValueOrDefault(Key(benchmark.Descriptor.Type, benchmark.Parameters.Items.Select(p => (p.Name, (object?)p.Value))));

    [GlobalSetup]
    public void Setup()
    {
        Pool = Own(new WorkerPool());
        Prepare();
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        for (int i = _owned.Count - 1; i >= 0; i--)
        {
            _owned[i].Dispose();
        }

        _owned.Clear();
    }

    /// <summary>Makes what the case needs and calls <see cref="Does"/>.</summary>
    protected abstract void Prepare();

    /// <summary>Says what one call does; measures the ceilings, unless the data lie in the caches.</summary>
    private protected void Does(double bytes, double operations, MultiplyAdd? instruction = null, bool cold = true)
        => _work[Key(GetType(), Parameters())] = new CaseWork(bytes, operations, cold ? Ceilings.Measure(Pool, instruction) : null);

    private protected T Own<T>(T owned)
        where T : IDisposable
    {
        _owned.Add(owned);
        return owned;
    }

    private protected NativeBuffer Memory(long bytes) => Own(NativeBuffer.HugePages((nuint)bytes));

    private protected MatrixF32 Matrix(int rows, int columns) => new(Memory(4L * rows * columns).As<float>(), rows, columns, columns);

    /// <summary>Numbers between −1 and 1.</summary>
    private protected MatrixF32 RandomMatrix(int rows, int columns)
    {
        MatrixF32 m = Matrix(rows, columns);
        var random = new Random(rows + columns);
        foreach (ref float v in new Span<float>(m.Data, rows * columns))
        {
            v = (random.NextSingle() * 2) - 1;
        }

        return m;
    }

    private IEnumerable<(string Name, object? Value)> Parameters()
        => GetType().GetProperties().Where(p => p.GetCustomAttribute<ParamsAttribute>() is not null || p.GetCustomAttribute<ParamsAllValuesAttribute>() is not null)
            .Select(p => (p.Name, p.GetValue(this)));

    private static string Key(Type type, IEnumerable<(string Name, object? Value)> parameters)
        => type.Name + string.Concat(parameters.OrderBy(p => p.Name, StringComparer.Ordinal).Select(p => $" {p.Name}={p.Value}"));
}
