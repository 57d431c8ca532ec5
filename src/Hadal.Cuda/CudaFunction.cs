namespace Hadal.Cuda;

/// <summary>A kernel. It takes one struct by value. Thread-safe.</summary>
public sealed unsafe class CudaFunction
{
    // What a block gets without the kernel having asked for more.
    private const int PlainSharedBytes = 48 << 10;

    private const int MaxArgumentBytes = 4096;

    private readonly CudaModule _module;
    private readonly CudaContext _context;
    private readonly nint _handle;
    private readonly bool _programmatic;
    private readonly Lock _lock = new();
    private int _sharedBytes;
    private bool _wideClusters;

    internal CudaFunction(CudaModule module, string name, nint handle)
    {
        _module = module;
        _context = module.Context;
        _handle = handle;
        Name = name;

        // CUfunction_attribute of cuda.h. Asking also makes a lazily loading driver load the kernel now and not at its first launch.
        MaxThreads = Attribute(0);
        StaticSharedBytes = Attribute(1);
        LocalBytes = Attribute(3);
        Registers = Attribute(4);
        _sharedBytes = PlainSharedBytes - StaticSharedBytes;
        _programmatic = _context.Device.Major >= 9;
        ArgumentBytes = FindArgumentBytes();
    }

    public string Name { get; }

    /// <summary>Registers of a thread.</summary>
    public int Registers { get; }

    /// <summary>Bytes of local memory a thread: above 0, something spilt or an array is indexed at run time.</summary>
    public int LocalBytes { get; }

    public int StaticSharedBytes { get; }

    /// <summary>Threads a block may have at most.</summary>
    public int MaxThreads { get; }

    /// <summary>Bytes of the struct that the kernel takes; 0 where the driver (before 12.4) does not tell.</summary>
    public int ArgumentBytes { get; }

    public int MaxBlocksPerMultiprocessor(int threads, int dynamicSharedBytes)
    {
        _context.Enter();
        AllowShared(dynamicSharedBytes);
        int blocks = 0;
        _context.Check(DriverApi.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, _handle, threads, (nuint)dynamicSharedBytes), "cuOccupancyMaxActiveBlocksPerMultiprocessor", Name);
        return blocks;
    }

    /// <summary>Allows launches with so much dynamic shared memory; launches that need it call this themselves.</summary>
    public void AllowShared(int dynamicSharedBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(dynamicSharedBytes);
        if (dynamicSharedBytes > Volatile.Read(ref _sharedBytes))
        {
            GrowShared(dynamicSharedBytes);
        }
    }

    /// <summary>Puts a launch on the stream. Allocates nothing.</summary>
    /// <param name="stream">A stream of the same context.</param>
    /// <param name="shape">Grid, block and the rest.</param>
    /// <param name="args">The kernel's one parameter, laid out as in its source.</param>
    public void Launch<T>(CudaStream stream, in LaunchShape shape, in T args)
        where T : unmanaged
    {
        stream.Enter();
        if (shape.GridX <= 0 || shape.GridY <= 0 || shape.GridZ <= 0 || shape.BlockX <= 0 || shape.BlockX > MaxThreads || stream.Context != _context)
        {
            ThrowShape(stream, shape);
        }

        AllowShared(shape.SharedBytes);

        LaunchAttribute* attributes = stackalloc LaunchAttribute[2];
        uint count = 0;
        if (_programmatic)
        {
            if (shape.Programmatic)
            {
                attributes[count] = default;
                attributes[count].Id = LaunchAttribute.ProgrammaticStreamSerialization;
                attributes[count++].X = 1;
            }

            if (shape.ClusterX > 1)
            {
                if (shape.ClusterX > 8)
                {
                    AllowWideClusters();
                }

                attributes[count] = default;
                attributes[count].Id = LaunchAttribute.ClusterDimension;
                attributes[count].X = (uint)shape.ClusterX;
                attributes[count].Y = 1;
                attributes[count++].Z = 1;
            }
        }

        var config = new LaunchConfig
        {
            GridX = (uint)shape.GridX,
            GridY = (uint)shape.GridY,
            GridZ = (uint)shape.GridZ,
            BlockX = (uint)shape.BlockX,
            BlockY = 1,
            BlockZ = 1,
            SharedBytes = (uint)shape.SharedBytes,
            Stream = stream.Handle,
            Attributes = attributes,
            NumAttributes = count,
        };

        CudaResult result;
        fixed (T* p = &args)
        {
            void* parameter = p;
            if (sizeof(T) == ArgumentBytes || ArgumentBytes == 0)
            {
                result = DriverApi.cuLaunchKernelEx(&config, _handle, &parameter, null);
            }
            else
            {
                // The kernel's struct is aligned to more than C# aligns to (tensor maps: 64 bytes), which pads its end: the driver reads the padding too.
                CheckArguments(sizeof(T));
                byte* padded = stackalloc byte[ArgumentBytes];
                Buffer.MemoryCopy(p, padded, ArgumentBytes, sizeof(T));
                parameter = padded;
                result = DriverApi.cuLaunchKernelEx(&config, _handle, &parameter, null);
            }
        }

        if (result != CudaResult.Success)
        {
            throw _context.Failed(result, "the launch of " + Name, shape.ToString());
        }

        stream.Launched(this, shape);
    }

    public override string ToString() => $"{_module.Name}/{Name}";

    private void GrowShared(int bytes)
    {
        lock (_lock)
        {
            if (bytes <= _sharedBytes)
            {
                return;
            }

            int most = _context.Device.MaxSharedBytesPerBlock - StaticSharedBytes;
            if (bytes > most)
            {
                throw new CudaException(CudaResult.LaunchOutOfResources, isSticky: false, $"{this} needs {bytes} bytes of dynamic shared memory; a block of {_context.Device} may have {most}.");
            }

            _context.Enter();
            _context.Check(DriverApi.cuFuncSetAttribute(_handle, 8, bytes), "cuFuncSetAttribute", $"{Name}, {bytes} bytes of shared memory"); // MAX_DYNAMIC_SHARED_SIZE_BYTES
            Volatile.Write(ref _sharedBytes, bytes);
        }
    }

    private void AllowWideClusters()
    {
        if (!Volatile.Read(ref _wideClusters))
        {
            _context.Check(DriverApi.cuFuncSetAttribute(_handle, 14, 1), "cuFuncSetAttribute", Name + ", clusters of more than 8 blocks"); // NON_PORTABLE_CLUSTER_SIZE_ALLOWED
            Volatile.Write(ref _wideClusters, true);
        }
    }

    private void CheckArguments(int bytes)
    {
        for (int align = 8; align <= 128; align *= 2)
        {
            if ((bytes + align - 1) / align * align == ArgumentBytes)
            {
                return;
            }
        }

        throw new ArgumentException($"{this} takes a struct of {ArgumentBytes} bytes and got one of {bytes}: the C# struct does not mirror the kernel's", nameof(bytes));
    }

    private void ThrowShape(CudaStream stream, in LaunchShape shape)
    {
        if (stream.Context != _context)
        {
            throw new ArgumentException($"{this} was loaded on {_context.Device} and is launched on a stream of another context ({stream.Context.Device})", nameof(stream));
        }

        throw new ArgumentOutOfRangeException(nameof(shape), $"{this} cannot be launched with {shape}: every dimension of the grid must be positive and the block have 1 to {MaxThreads} threads");
    }

    private int FindArgumentBytes()
    {
        try
        {
            nuint offset = 0;
            nuint bytes = 0;
            return DriverApi.cuFuncGetParamInfo(_handle, 0, &offset, &bytes) == CudaResult.Success && bytes <= MaxArgumentBytes ? (int)bytes : 0;
        }
        catch (EntryPointNotFoundException)
        {
            return 0;
        }
    }

    private int Attribute(int attribute)
    {
        int value = 0;
        _context.Check(DriverApi.cuFuncGetAttribute(&value, attribute, _handle), "cuFuncGetAttribute", Name);
        return value;
    }
}
