using Hadal.Kernels.Cuda;
using Hadal.Numerics;

[assembly: AssemblyFixture(typeof(Hadal.Cuda.Tests.Gpu))]

namespace Hadal.Cuda.Tests;

/// <summary>
/// The first GPU of this machine, shared by all tests: take it as a constructor parameter. Tests that ask it for something are skipped where there is none,
/// or fail there with HADAL_REQUIRE_GPU=1.
/// </summary>
public sealed class Gpu : IDisposable
{
    private readonly CudaContext? _context;
    private readonly Dictionary<CudaTarget, CudaKernels> _kernels = [];

    public Gpu()
    {
        try
        {
            _context = new CudaContext(CudaDriver.Devices()[0]);
            _kernels[CudaTarget.Sm80] = new CudaKernels(_context, CudaTarget.Sm80);
            if (_context.Device is { Major: 9, Minor: 0 })
            {
                _kernels[CudaTarget.Sm90a] = new CudaKernels(_context, CudaTarget.Sm90a);
            }
        }
        catch (HadalException) when (Environment.GetEnvironmentVariable("HADAL_REQUIRE_GPU") != "1")
        {
            // Context says so to each test.
        }
    }

    /// <summary>For <c>[Theory, MemberData(nameof(Gpu.Targets), MemberType = typeof(Gpu))]</c>: both builds of the kernels.</summary>
    public static TheoryData<CudaTarget> Targets { get; } = [CudaTarget.Sm80, CudaTarget.Sm90a];

    /// <summary>The context; skips the test where there is no GPU.</summary>
    public CudaContext Context
    {
        get
        {
            Assert.SkipWhen(_context is null, "no NVIDIA GPU here");
            return _context!;
        }
    }

    /// <summary>The kernels of one build; skips the test where the card cannot run it.</summary>
    public CudaKernels Kernels(CudaTarget target)
    {
        CudaDevice device = Context.Device;
        if (target == CudaTarget.Auto)
        {
            target = _kernels.Keys.Max();
        }

        Assert.SkipUnless(_kernels.ContainsKey(target), $"{device} does not run {target}");
        return _kernels[target];
    }

    /// <summary>Memory with this in it.</summary>
    public unsafe DeviceBuffer Upload<T>(CudaStream stream, ReadOnlySpan<T> data)
        where T : unmanaged
    {
        DeviceBuffer buffer = Context.Allocate(Math.Max(1, (long)data.Length * sizeof(T)));
        fixed (T* p = data)
        {
            stream.CopyToDevice(buffer.Pointer, p, (long)data.Length * sizeof(T));
        }

        stream.Synchronize();
        return buffer;
    }

    /// <summary>Memory for so many elements, every byte 0xFF: NaN in each float format here, -1 in integers.</summary>
    public unsafe DeviceBuffer Poisoned<T>(CudaStream stream, long count)
        where T : unmanaged
    {
        DeviceBuffer buffer = Context.Allocate(Math.Max(1, count * sizeof(T)));
        stream.Fill(buffer.Pointer, 0xFF, buffer.ByteLength);
        stream.Synchronize();
        return buffer;
    }

    /// <summary>Waits for the stream and reads the buffer from its start.</summary>
    public unsafe T[] Download<T>(CudaStream stream, DeviceBuffer buffer, int count)
        where T : unmanaged
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)count * sizeof(T), buffer.ByteLength, nameof(count));
        var data = new T[count];
        fixed (T* p = data)
        {
            stream.CopyToHost(p, buffer.Pointer, (long)count * sizeof(T));
            stream.Synchronize();
        }

        return data;
    }

    public void Dispose()
    {
        foreach (CudaKernels kernels in _kernels.Values)
        {
            kernels.Dispose();
        }

        _context?.Dispose();
    }
}
