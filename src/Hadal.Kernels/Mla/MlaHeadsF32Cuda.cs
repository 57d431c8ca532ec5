using Hadal.Cuda;
using Hadal.Kernels.Cuda;

namespace Hadal.Kernels.Mla;

/// <summary>The products of <see cref="MlaHeadsCuda"/> with float32 activations and weights, in plain loops: for comparing numbers, not for speed.</summary>
internal static class MlaHeadsF32Cuda
{
    public static void Absorb(CudaKernels kernels, CudaStream stream, DeviceMatrix q, DeviceMatrix kvB, MlaShape shape, DeviceMatrix qLatent)
        => kernels.Get("MlaHeadsF32", "absorb_f32")
            .Launch(stream, new LaunchShape(q.Rows, shape.NumHeads, (shape.CacheWidth + 127) / 128, 128) { What = "heads times kv_b in float32" }, MlaHeadsCuda.ArgsOf(q, kvB, shape, qLatent));

    public static void Expand(CudaKernels kernels, CudaStream stream, DeviceMatrix oLatent, DeviceMatrix kvB, MlaShape shape, DeviceMatrix o)
        => kernels.Get("MlaHeadsF32", "expand_f32")
            .Launch(stream, new LaunchShape(oLatent.Rows, shape.NumHeads, (shape.VHeadDim + 3) / 4, 128) { What = "heads times kv_b in float32" }, MlaHeadsCuda.ArgsOf(oLatent, kvB, shape, o));
}
