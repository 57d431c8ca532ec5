using BenchmarkDotNet.Attributes;
using Hadal.Kernels;
using Hadal.Kernels.Activation;

namespace Hadal.Bench.Activation;

/// <summary>silu(gate) · up of a 1.5B model.</summary>
public class SiluMulBench : KernelBench
{
    private const int Width = 8960;

    private MatrixF32 _gate;
    private MatrixF32 _up;
    private MatrixF32 _y;

    [Params(1, 16, 512)]
    public int Tokens { get; set; }

    [Benchmark]
    public void Forward() => Silu.MulForward(Pool, _gate, _up, _y);

    protected override void Prepare()
    {
        _gate = RandomMatrix(Tokens, Width);
        _up = RandomMatrix(Tokens, Width);
        _y = Matrix(Tokens, Width);
        Does(3.0 * sizeof(float) * Tokens * Width, 0, cold: false);
    }
}
