using BenchmarkDotNet.Attributes;
using Hadal.Kernels;
using Hadal.Kernels.Norm;

namespace Hadal.Bench.Norm;

/// <summary>Hidden states of a 1.5B model; they lie in the caches, as in a model.</summary>
public class RmsNormBench : KernelBench
{
    private const int Width = 1536;

    private readonly float[] _w = new float[Width];
    private MatrixF32 _x;
    private MatrixF32 _y;

    [Params(1, 16, 512)]
    public int Tokens { get; set; }

    [Benchmark]
    public void Forward() => RmsNorm.Forward(Pool, _x, _w, 1e-6f, _y);

    protected override void Prepare()
    {
        Array.Fill(_w, 1);
        _x = RandomMatrix(Tokens, Width);
        _y = Matrix(Tokens, Width);
        Does(2.0 * sizeof(float) * Tokens * Width, 4.0 * Tokens * Width, cold: false);
    }
}
