namespace Hadal.Models.Tests.Oracle;

/// <summary>
/// Multi-head latent attention as the paper writes it (arXiv:2405.04434, equations 37 to 47): keys and values of all heads are expanded from the latent,
/// every head's key ends with the same rotated part.
/// </summary>
internal sealed class OracleMla(OracleConfig config, OracleTensors tensors, OracleRope rope, string name) : IOracleAttention
{
    // The norms inside attention are built without the configuration's eps (DeepseekV2Attention.__init__).
    private const double Eps = 1e-6;

    private readonly int _nope = config.Int("qk_nope_head_dim");
    private readonly int _rotated = config.Int("qk_rope_head_dim");
    private readonly int _latent = config.Int("kv_lora_rank");
    private readonly double[][]? _qDirect = config.Has("q_lora_rank") ? null : tensors.Matrix($"{name}.q_proj.weight");
    private readonly double[][]? _qA = config.Has("q_lora_rank") ? tensors.Matrix($"{name}.q_a_proj.weight") : null;
    private readonly double[][]? _qB = config.Has("q_lora_rank") ? tensors.Matrix($"{name}.q_b_proj.weight") : null;
    private readonly double[]? _qNorm = config.Has("q_lora_rank") ? tensors.Vector($"{name}.q_a_layernorm.weight") : null;
    private readonly double[][] _kvA = tensors.Matrix($"{name}.kv_a_proj_with_mqa.weight");
    private readonly double[] _kvNorm = tensors.Vector($"{name}.kv_a_layernorm.weight");
    private readonly double[][] _kvB = tensors.Matrix($"{name}.kv_b_proj.weight");
    private readonly double[][] _o = tensors.Matrix($"{name}.o_proj.weight");

    public double[][] Forward(double[][] x)
    {
        int heads = config.Heads;
        double scale = rope.SoftmaxFactor / Math.Sqrt(_nope + _rotated);
        double[][][] q = new double[x.Length][][];          // [T, H, nope + rope]
        double[][][] keys = new double[x.Length][][];       // [T, H, nope + rope]
        double[][][] values = new double[x.Length][][];     // [T, H, v]
        for (int t = 0; t < x.Length; t++)
        {
            q[t] = [.. Query(x[t]).Chunk(_nope + _rotated).Select(h => (double[])[.. h[.._nope], .. rope.Rotate(h[_nope..], t)])];
            double[] kv = OracleMath.Linear(x[t], _kvA);
            double[] sharedKey = rope.Rotate(kv[_latent..], t);
            double[] latent = OracleRmsNorm.Forward(kv[.._latent], _kvNorm, Eps);
            double[][] expanded = [.. OracleMath.Linear(latent, _kvB).Chunk(_kvB.Length / heads)];
            keys[t] = [.. expanded.Select(h => (double[])[.. h[.._nope], .. sharedKey])];
            values[t] = [.. expanded.Select(h => h[_nope..])];
        }

        return [.. x.Select((_, t) => OracleMath.Linear(
            [.. q[t].SelectMany((head, h) => OracleAttention.Forward(head, keys.Take(t + 1).Select(k => k[h]), values.Take(t + 1).Select(v => v[h]), scale))], _o))];
    }

    private double[] Query(double[] x) => _qDirect is not null
        ? OracleMath.Linear(x, _qDirect)
        : OracleMath.Linear(OracleRmsNorm.Forward(OracleMath.Linear(x, _qA!), _qNorm!, Eps), _qB!);
}
