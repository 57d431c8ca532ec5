using System.Diagnostics.CodeAnalysis;

namespace Hadal.Cuda;

/// <summary>
/// A device in use: its primary context, retained until this and everything made in it is disposed. There is no current device:
/// each call makes the context it needs current on its thread, so several devices and any threads go together.
/// </summary>
/// <remarks>
/// Thread-safe. After a sticky error (an illegal address in a kernel, a memory error, ...) <see cref="IsBroken"/> is true and every call throws at once,
/// naming the first failure; only a new process gets the device back. With HADAL_CUDA_SYNC=1 each launch is waited for, so that the error names its kernel.
/// </remarks>
public sealed unsafe class CudaContext : IDisposable
{
    private readonly ContextHandle _handle;
    private readonly KernelCache _cache;

    public CudaContext(CudaDevice device)
        : this(device, Console.Error.WriteLine)
    {
    }

    /// <param name="device">The device.</param>
    /// <param name="warn">Told, once, when assembled kernels cannot be kept on disk.</param>
    public CudaContext(CudaDevice device, Action<string> warn)
    {
        ArgumentNullException.ThrowIfNull(device);
        nint context = 0;
        CudaResult result = DriverApi.cuDevicePrimaryCtxRetain(&context, device.Handle);
        if (result != CudaResult.Success)
        {
            throw new CudaException(result, CudaError.IsSticky(result), CudaError.Describe(result, "cuDevicePrimaryCtxRetain", null, device));
        }

        Device = device;
        _handle = new ContextHandle(device, context);
        _cache = new KernelCache(KernelCache.FindFolder(Environment.GetEnvironmentVariable), warn);
        IsSynchronous = Environment.GetEnvironmentVariable("HADAL_CUDA_SYNC") == "1";
    }

    public CudaDevice Device { get; }

    /// <summary>A sticky error has happened: see <see cref="CudaException.IsSticky"/>.</summary>
    public bool IsBroken => _handle.Broken is not null;

    /// <summary>What broke the context; null while it works.</summary>
    public CudaException? Failure => _handle.Broken;

    /// <summary>Bytes of device memory, as the driver counts them.</summary>
    public (long Free, long Total) Memory
    {
        get
        {
            Enter();
            nuint free = 0;
            nuint total = 0;
            Check(DriverApi.cuMemGetInfo_v2(&free, &total), "cuMemGetInfo");
            return ((long)free, (long)total);
        }
    }

    /// <summary>Every launch is waited for (HADAL_CUDA_SYNC=1).</summary>
    internal bool IsSynchronous { get; }

    internal ContextHandle Handle => _handle;

    /// <summary>A stream that waits for no other (CU_STREAM_NON_BLOCKING).</summary>
    public CudaStream NewStream()
    {
        Enter();
        nint stream = 0;
        Check(DriverApi.cuStreamCreate(&stream, 1), "cuStreamCreate");
        return new CudaStream(this, stream);
    }

    /// <param name="timing">It can be timed with; without, recording is cheaper.</param>
    public CudaEvent NewEvent(bool timing) => NewEvent(timing, blocking: false);

    /// <param name="timing">It can be timed with; without, recording is cheaper.</param>
    /// <param name="blocking">Who waits for it sleeps: slower to wake, but no processor is kept busy.</param>
    public CudaEvent NewEvent(bool timing, bool blocking)
    {
        Enter();
        nint handle = 0;
        Check(DriverApi.cuEventCreate(&handle, (blocking ? 1u : 0u) | (timing ? 0u : 2u)), "cuEventCreate");
        return new CudaEvent(this, handle);
    }

    /// <summary>Device memory, aligned to 256 bytes at least; its content is whatever it was.</summary>
    public DeviceBuffer Allocate(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        Enter();
        nint pointer = 0;
        CudaResult result = DriverApi.cuMemAlloc_v2(&pointer, (nuint)bytes);
        if (result != CudaResult.Success)
        {
            throw AllocationFailed(result, "cuMemAlloc", bytes);
        }

        return new DeviceBuffer(_handle, pointer, bytes);
    }

    /// <summary>Host memory that the device copies from and to without a stop between.</summary>
    public PinnedBuffer AllocatePinned(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(bytes);
        Enter();
        void* pointer = null;
        Check(DriverApi.cuMemHostAlloc(&pointer, (nuint)bytes, 0), "cuMemHostAlloc", bytes + " bytes of pinned memory");
        return new PinnedBuffer(_handle, pointer, bytes);
    }

    /// <summary>Assembles PTX for this card, or takes what an earlier run kept on disk, and loads it.</summary>
    /// <exception cref="CudaException">The driver does not assemble it; the message has the assembler's log.</exception>
    public CudaModule Load(string name, ReadOnlySpan<byte> ptx)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        Enter();
        // The linker takes PTX for a part of a program, whose registers are not settled yet, and leaves setmaxnreg out: kernels that live on it spill. Loaded as it is, it is
        // a whole program, and what the driver assembles of it the driver keeps on disk itself (CUDA_CACHE_PATH). What it refuses goes the linker's way, for its log.
        if (ptx.IndexOf("setmaxnreg"u8) >= 0 && TryLoad([.. ptx, 0], out nint whole) == CudaResult.Success)
        {
            return new CudaModule(this, name, whole);
        }

        byte[] image = _cache.Get(name, ptx, CacheTag, p => PtxAssembler.Assemble(this, name, p));
        CudaResult result = TryLoad(image, out nint module);
        if (result is CudaResult.InvalidImage or CudaResult.NoBinaryForGpu)
        {
            // Its checksum holds, but the driver does not take it: not what this driver assembles.
            image = _cache.Replace(name, ptx, CacheTag, p => PtxAssembler.Assemble(this, name, p));
            result = TryLoad(image, out module);
        }

        Check(result, "cuModuleLoadDataEx", name);
        return new CudaModule(this, name, module);
    }

    /// <summary>Waits for everything on every stream of the device.</summary>
    public void Synchronize()
    {
        Enter();
        Check(DriverApi.cuCtxSynchronize(), "cuCtxSynchronize");
    }

    /// <summary>Gives memory that stream-ordered allocations no longer use back to the device, down to so many bytes.</summary>
    public void TrimPool(long bytesToKeep)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytesToKeep);
        Enter();
        nint pool = 0;
        Check(DriverApi.cuDeviceGetDefaultMemPool(&pool, Device.Handle), "cuDeviceGetDefaultMemPool");
        Check(DriverApi.cuMemPoolTrimTo(pool, (nuint)bytesToKeep), "cuMemPoolTrimTo");
    }

    /// <summary>How much stream-ordered allocations keep for the next one; without a word the driver gives all back at each synchronisation.</summary>
    public void KeepInPool(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        Enter();
        nint pool = 0;
        Check(DriverApi.cuDeviceGetDefaultMemPool(&pool, Device.Handle), "cuDeviceGetDefaultMemPool");
        ulong value = (ulong)bytes;
        Check(DriverApi.cuMemPoolSetAttribute(pool, 4, &value), "cuMemPoolSetAttribute"); // CU_MEMPOOL_ATTR_RELEASE_THRESHOLD
    }

    /// <exception cref="CudaException">The context is broken; thrown at once, without a call to the driver.</exception>
    public void ThrowIfBroken()
    {
        if (_handle.Broken is { } first)
        {
            throw new CudaException(first.Result, isSticky: true, $"{Device} is lost to this process and the call is refused; restart the process. What happened first: {first.Message}");
        }
    }

    /// <summary>Whatever was made in it keeps the device's context alive until it is disposed itself.</summary>
    public void Dispose() => _handle.Dispose();

    /// <summary>Before each call of the driver.</summary>
    internal void Enter()
    {
        if (_handle.Broken is not null)
        {
            ThrowIfBroken();
        }

        _handle.MakeCurrent();
    }

    internal void Check(CudaResult result, string call, string? detail = null)
    {
        if (result != CudaResult.Success)
        {
            throw Failed(result, call, detail);
        }
    }

    /// <summary>Makes the exception, and refuses all later calls where the error is one that stays.</summary>
    internal CudaException Failed(CudaResult result, string call, string? detail)
    {
        bool sticky = CudaError.IsSticky(result);
        string message = CudaError.Describe(result, call, detail, Device);
        if (!sticky)
        {
            return new CudaException(result, isSticky: false, message);
        }

        var failure = new CudaException(result, isSticky: true, message + " The device is lost to this process: restart it."
            + (IsSynchronous ? "" : " HADAL_CUDA_SYNC=1 waits for each kernel and so names the one at fault."));
        _handle.Break(failure);
        return failure;
    }

    internal CudaException AllocationFailed(CudaResult result, string call, long bytes)
    {
        nuint free = 0;
        nuint total = 0;
        string detail = $"{bytes:N0} bytes";
        if (DriverApi.cuMemGetInfo_v2(&free, &total) == CudaResult.Success)
        {
            detail += $" where {(long)free:N0} of {(long)total:N0} are free";
        }

        return Failed(result, call, detail);
    }

    /// <summary>What an assembled kernel depends on besides its PTX.</summary>
    [field: MaybeNull]
    private string CacheTag => field ??= MakeCacheTag(Device);

    private static string MakeCacheTag(CudaDevice device)
    {
        (int major, int minor) = CudaDriver.Version;
        return $"{device.Name}|{device.Major}.{device.Minor}|{major}.{minor}|{DriverBuild()}";
    }

    /// <summary>The assembler is part of the driver's build, which the CUDA version alone does not tell.</summary>
    private static string DriverBuild()
    {
        foreach (string file in (ReadOnlySpan<string>)["/sys/module/nvidia/version", "/proc/driver/nvidia/version"])
        {
            try
            {
                return File.ReadAllText(file).Trim();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The next one, or none (WSL has neither).
            }
        }

        return "";
    }

    /// <summary>Lets what would be refused inside a capture (loading a module may synchronise) through on this thread, which is not part of it.</summary>
    private CudaResult TryLoad(byte[] image, out nint module)
    {
        int mode = 2; // CU_STREAM_CAPTURE_MODE_RELAXED
        Check(DriverApi.cuThreadExchangeStreamCaptureMode(&mode), "cuThreadExchangeStreamCaptureMode");
        nint loaded = 0;
        CudaResult result;
        fixed (byte* p = image)
        {
            result = DriverApi.cuModuleLoadDataEx(&loaded, p, 0, null, null);
        }

        Check(DriverApi.cuThreadExchangeStreamCaptureMode(&mode), "cuThreadExchangeStreamCaptureMode");
        module = loaded;
        return result;
    }
}
