namespace Hadal.Kernels.Cuda;

/// <summary>Which of the two builds of the kernels is used.</summary>
public enum CudaTarget
{
    /// <summary>The one for the card.</summary>
    Auto,

    /// <summary>Every card from compute capability 8.0.</summary>
    Sm80,

    /// <summary>Hopper, compute capability 9.0, with wgmma and the tensor copy engine.</summary>
    Sm90a,
}
