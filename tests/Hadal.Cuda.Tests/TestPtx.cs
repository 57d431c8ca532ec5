using Hadal.Kernels.Cuda;

namespace Hadal.Cuda.Tests;

/// <summary>The kernels that only tests need.</summary>
internal static class TestPtx
{
    internal static byte[] Read(CudaTarget target) => CudaKernels.ReadPtx(typeof(TestPtx).Assembly, "driver_tests", target);

    internal static CudaModule Load(Gpu gpu, CudaTarget target)
    {
        _ = gpu.Kernels(target); // Skips where the card does not run the target.
        return gpu.Context.Load("driver_tests." + CudaKernels.Suffix(target), Read(target));
    }
}
