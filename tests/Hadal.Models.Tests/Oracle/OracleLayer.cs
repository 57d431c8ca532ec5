namespace Hadal.Models.Tests.Oracle;

/// <summary>h + attention(norm(h)), then h + feedForward(norm(h)).</summary>
internal sealed class OracleLayer
{
    private readonly double _eps;
    private readonly double[] _attentionNorm, _feedForwardNorm;
    private readonly IOracleAttention _attention;
    private readonly Func<double[], double[]> _feedForward;

    public OracleLayer(OracleConfig config, OracleTensors tensors, OracleRope rope, int index)
    {
        string name = $"model.layers.{index}";
        _eps = config.RmsNormEps;
        _attentionNorm = tensors.Vector($"{name}.input_layernorm.weight");
        _feedForwardNorm = tensors.Vector($"{name}.post_attention_layernorm.weight");
        _attention = config.IsDeepSeek
            ? new OracleMla(config, tensors, rope, $"{name}.self_attn")
            : new OracleGqa(config, tensors, rope, $"{name}.self_attn");

        // moe_layer_freq is DeepSeek's own (modeling_deepseek.py); transformers knows only 1.
        bool isMoe = config.IsDeepSeek && config.Has("n_routed_experts")
            && index >= config.IntOr("first_k_dense_replace", config.IsV3 ? 3 : 0) && index % config.IntOr("moe_layer_freq", 1) == 0;
        if (isMoe)
        {
            Moe = new OracleMoe(config, tensors, $"{name}.mlp");
            _feedForward = Moe.Forward;
        }
        else
        {
            _feedForward = new OracleSwiGlu(tensors, $"{name}.mlp", config.ModelType == "llama" && config.FlagOr("mlp_bias", false)).Forward;
        }
    }

    public OracleMoe? Moe { get; }

    public double[][] Forward(double[][] h)
    {
        double[][] attended = _attention.Forward([.. h.Select(x => OracleRmsNorm.Forward(x, _attentionNorm, _eps))]);
        h = [.. h.Zip(attended, OracleMath.Add)];
        return [.. h.Select(x => OracleMath.Add(x, _feedForward(OracleRmsNorm.Forward(x, _feedForwardNorm, _eps))))];
    }
}
