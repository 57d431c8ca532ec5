using Hadal.Cuda;
using Hadal.Kernels.Cuda;

namespace Hadal.Kernels.Mla;

/// <summary><see cref="MlaExpandValue"/> on the card: o[t, h] = W_UV[h] · oLatent[t, h]</summary>
/// <remarks>oLatent: [T, H·C]; kvB: [H·(Dn+Dv), C]; o: [T, H·Dv], all bf16 or all f32, widths and strides multiples of 8. A row does not depend on the others.</remarks>
public static class MlaExpandValueCuda
{
    public static void Run(CudaKernels kernels, CudaStream stream, DeviceMatrix oLatent, DeviceMatrix kvB, MlaShape shape, DeviceMatrix o)
        => MlaHeadsCuda.Expand(kernels, stream, oLatent, kvB, shape, o);
}
