using Hadal.Numerics;

namespace Hadal.Cuda;

/// <summary>NVIDIA's driver on this machine. Nothing else of CUDA is needed: no toolkit, no runtime library.</summary>
public static unsafe class CudaDriver
{
    private static readonly Lazy<IReadOnlyList<CudaDevice>> _devices = new(Find);

    /// <summary>The highest CUDA version that the driver knows.</summary>
    /// <exception cref="HadalException">There is no driver.</exception>
    public static (int Major, int Minor) Version
    {
        get
        {
            Open();
            int version = 0;
            Check(DriverApi.cuDriverGetVersion(&version), "cuDriverGetVersion");
            return (version / 1000, version % 1000 / 10);
        }
    }

    /// <summary>The GPUs of this machine, in the driver's order; at least one.</summary>
    /// <exception cref="HadalException">There is no driver or no GPU; the message says what was looked for.</exception>
    public static IReadOnlyList<CudaDevice> Devices() => _devices.Value;

    private static CudaDevice[] Find()
    {
        Open();
        CudaResult init = DriverApi.cuInit(0);
        if (init != CudaResult.Success)
        {
            throw new CudaException(init, isSticky: false, $"no NVIDIA GPU can be used here. {NativeLibraries.CudaLibrary.Looked}; {Nodes()}; {CudaError.Describe(init, "cuInit", null, null)}");
        }

        if (Version is { Major: < 12 } old)
        {
            throw new HadalException($"NVIDIA's driver here knows CUDA {old.Major}.{old.Minor} ({NativeLibraries.CudaLibrary.Looked}); 12.0 is needed, which came with driver 525 (12.3 and 545 for Hopper): install a newer one.");
        }

        int count = 0;
        Check(DriverApi.cuDeviceGetCount(&count), "cuDeviceGetCount");
        if (count == 0)
        {
            throw new CudaException(CudaResult.NoDevice, isSticky: false, $"no NVIDIA GPU here. {NativeLibraries.CudaLibrary.Looked}; {Nodes()}. {CudaError.Advice(CudaResult.NoDevice)}");
        }

        var devices = new CudaDevice[count];
        for (int i = 0; i < count; i++)
        {
            devices[i] = new CudaDevice(i);
        }

        return devices;
    }

    internal static void Check(CudaResult result, string call)
    {
        if (result != CudaResult.Success)
        {
            throw new CudaException(result, CudaError.IsSticky(result), CudaError.Describe(result, call, null, null));
        }
    }

    /// <summary>Before the first call into the library: a library that is not there would else end in a DllNotFoundException without a word of help.</summary>
    private static void Open()
    {
        LibrarySearch library = NativeLibraries.CudaLibrary;
        if (!DriverApi.IsReady || library.Handle == 0)
        {
            throw new HadalException(MissingLibrary(library, Nodes()));
        }
    }

    internal static string MissingLibrary(LibrarySearch library, string nodes)
        => $"no NVIDIA driver here: {library.Name} was looked for and not found ({library.Looked}); {nodes}. "
        + "Install NVIDIA's driver, 525 or newer (545 for Hopper); a container must be started with access to the GPU (docker: --gpus all).";

    private static string Nodes()
    {
        string[] nodes = Directory.Exists("/dev") ? [.. Directory.GetFiles("/dev", "nvidia*").Order(StringComparer.Ordinal)] : [];
        return nodes.Length > 0 ? "devices: " + string.Join(' ', nodes) : File.Exists("/dev/dxg") ? "device: /dev/dxg (WSL)" : "/dev has no nvidia* device";
    }
}
