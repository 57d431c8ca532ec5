using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Hadal.Cuda;

/// <summary>The two libraries of NVIDIA's driver, each looked for once.</summary>
internal static class NativeLibraries
{
    internal const string Cuda = "libcuda.so.1";
    internal const string Nvml = "libnvidia-ml.so.1";

    private static readonly Lazy<LibrarySearch> _cuda = new(static () => new LibrarySearch(Cuda));
    private static readonly Lazy<LibrarySearch> _nvml = new(static () => new LibrarySearch(Nvml));

    // Set when the first P/Invoke of either class is about to be bound: both classes run Install from their static constructor.
    private static readonly bool _installed = InstallOnce();

    internal static LibrarySearch CudaLibrary => _cuda.Value;

    internal static LibrarySearch NvmlLibrary => _nvml.Value;

    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool Install() => _installed;

    private static bool InstallOnce()
    {
        NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, static (name, _, _) => name switch
        {
            Cuda => _cuda.Value.Handle,
            Nvml => _nvml.Value.Handle,
            _ => 0,
        });
        return true;
    }
}
