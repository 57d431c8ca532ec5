using Hadal.Cuda;
using Hadal.Kernels.Cuda;

namespace Hadal.Kernels.Mla;

/// <summary><see cref="MlaAbsorbQuery"/> on the card: qLatent[t, h] = (q[t, h, ..Dn] · W_UK[h], q[t, h, Dn..])</summary>
/// <remarks>q: [T, H·(Dn+R)]; kvB: [H·(Dn+Dv), C]; qLatent: [T, H·(C+R)], all bf16 or all f32, widths and strides multiples of 8. A row does not depend on the others.</remarks>
public static class MlaAbsorbQueryCuda
{
    public static void Run(CudaKernels kernels, CudaStream stream, DeviceMatrix q, DeviceMatrix kvB, MlaShape shape, DeviceMatrix qLatent)
        => MlaHeadsCuda.Absorb(kernels, stream, q, kvB, shape, qLatent);
}
