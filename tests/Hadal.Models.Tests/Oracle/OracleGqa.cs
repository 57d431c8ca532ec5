namespace Hadal.Models.Tests.Oracle;

/// <summary>Grouped-query attention (arXiv:2305.13245): query head h reads key head h / (H / HKv). Qwen3 norms each head of q and k before turning them.</summary>
internal sealed class OracleGqa : IOracleAttention
{
    private readonly OracleConfig _config;
    private readonly OracleRope _rope;
    private readonly Func<double[], double[]> _q, _k, _v, _o;
    private readonly double[]? _qNorm, _kNorm;

    public OracleGqa(OracleConfig config, OracleTensors tensors, OracleRope rope, string name)
    {
        _config = config;
        _rope = rope;
        bool bias = config.FlagOr("attention_bias", false);
        bool qwen2 = config.ModelType == "qwen2";
        Func<double[], double[]> Projection(string part, bool withBias)
        {
            double[][] w = tensors.Matrix($"{name}.{part}.weight");
            double[]? b = withBias ? tensors.Vector($"{name}.{part}.bias") : null;
            return x => OracleMath.Linear(x, w, b);
        }

        _q = Projection("q_proj", qwen2 || bias);
        _k = Projection("k_proj", qwen2 || bias);
        _v = Projection("v_proj", qwen2 || bias);
        _o = Projection("o_proj", !qwen2 && bias);
        if (config.ModelType == "qwen3")
        {
            _qNorm = tensors.Vector($"{name}.q_norm.weight");
            _kNorm = tensors.Vector($"{name}.k_norm.weight");
        }
    }

    public double[][] Forward(double[][] x)
    {
        int d = _config.HeadDim;
        double[][][] q = [.. x.Select((v, t) => Heads(_q(v), _qNorm, t))];               // [T, H, D]
        double[][][] k = [.. x.Select((v, t) => Heads(_k(v), _kNorm, t))];               // [T, HKv, D]
        double[][][] values = [.. x.Select(v => _v(v).Chunk(d).ToArray())];              // [T, HKv, D]
        int group = _config.Heads / _config.KvHeads;
        return [.. x.Select((_, t) => _o([.. q[t].SelectMany((head, h) => OracleAttention.Forward(
            head, k.Take(t + 1).Select(key => key[h / group]), values.Take(t + 1).Select(v => v[h / group]), 1 / Math.Sqrt(d)))]))];
    }

    private double[][] Heads(double[] row, double[]? norm, int position)
        => [.. row.Chunk(_config.HeadDim).Select(h => _rope.Rotate(norm is null ? h : OracleRmsNorm.Forward(h, norm, _config.RmsNormEps), position))];
}
