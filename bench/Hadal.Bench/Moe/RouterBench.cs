using BenchmarkDotNet.Attributes;
using Hadal.Kernels;
using Hadal.Kernels.Moe;

namespace Hadal.Bench.Moe;

/// <summary>Choosing experts as V2-Lite and as V3 do.</summary>
public unsafe class RouterBench : KernelBench
{
    private MatrixF32 _logits;
    private MatrixF32 _weights;
    private RouterConfig _config;
    private float[] _bias = [];
    private int* _ids;

    public enum RouterKind
    {
        /// <summary>Softmax, 6 of 64.</summary>
        V2Lite,

        /// <summary>Sigmoid with a bias, 8 of 256 in 4 of 8 groups.</summary>
        V3,
    }

    [ParamsAllValues]
    public RouterKind Kind { get; set; }

    [Params(1, 16, 512)]
    public int Tokens { get; set; }

    [Benchmark]
    public void Forward() => TopKRouter.Forward(Pool, _logits, _bias, _config, _ids, _weights);

    protected override void Prepare()
    {
        _config = Kind == RouterKind.V3
            ? new RouterConfig(256, 8, Sigmoid: true, 8, 4, GroupScoreTopTwo: true, NormTopkProb: true, 2.5f)
            : new RouterConfig(64, 6, Sigmoid: false, 1, 1, GroupScoreTopTwo: false, NormTopkProb: false, 1);
        _bias = Kind == RouterKind.V3 ? new float[256] : [];
        _logits = RandomMatrix(Tokens, _config.NumExperts);
        _weights = Matrix(Tokens, _config.TopK);
        _ids = Memory(4L * Tokens * _config.TopK).As<int>();
        Does(sizeof(float) * (double)Tokens * (_config.NumExperts + (2 * _config.TopK)), 0, cold: false);
    }
}
