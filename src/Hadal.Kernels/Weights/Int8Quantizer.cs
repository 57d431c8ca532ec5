using Hadal.Jit;

namespace Hadal.Kernels.Weights;

/// <summary>Placeholder until the kernels branch lands.</summary>
public static unsafe class Int8Quantizer
{
    public static void Quantize(WorkerPool pool, in WeightMatrix w, sbyte* values, float* scales) => throw new NotSupportedException();
}
