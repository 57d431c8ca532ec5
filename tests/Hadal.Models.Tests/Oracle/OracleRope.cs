using System.Text.Json;

namespace Hadal.Models.Tests.Oracle;

/// <summary>
/// Rotary embedding (arXiv:2104.09864): pair i of a vector turns by position · f_i, f_i = theta^(-2i/dim), stretched as <c>rope_parameters</c>
/// or <c>rope_scaling</c> say (transformers, modeling_rope_utils.py).
/// </summary>
internal sealed class OracleRope
{
    private readonly double[] _frequencies;
    private readonly double _magnitude = 1;
    private readonly bool _interleaved;

    /// <param name="config">The model's configuration.</param>
    /// <param name="dim">Columns that turn.</param>
    /// <param name="interleaved">Pairs are (2i, 2i+1), else (i, i + dim/2).</param>
    public OracleRope(OracleConfig config, int dim, bool interleaved)
    {
        _interleaved = interleaved;
        JsonElement? scaling = config.Object("rope_parameters") ?? config.Object("rope_scaling");
        double theta = Number(scaling, "rope_theta") ?? config.NumberOr("rope_theta", 10000);
        _frequencies = [.. Enumerable.Range(0, dim / 2).Select(i => Math.Pow(theta, -2.0 * i / dim))];
        string type = Text(scaling, "rope_type") ?? Text(scaling, "type") ?? "default";
        if (type == "default")
        {
            return;
        }

        double factor = Number(scaling, "factor")!.Value;
        double trained = Number(scaling, "original_max_position_embeddings") ?? config.Int("max_position_embeddings");
        switch (type)
        {
            case "linear":
                _frequencies = [.. _frequencies.Select(f => f / factor)];
                break;
            case "dynamic":
                // Stretches when a sequence passes the trained context, which none here does.
                break;
            case "llama3":
                double slow = trained / (Number(scaling, "low_freq_factor") ?? 1);
                double fast = trained / (Number(scaling, "high_freq_factor") ?? 4);
                _frequencies = [.. _frequencies.Select(f => Llama3(f, factor, trained, slow, fast))];
                break;
            case "yarn":
                _frequencies = Yarn(_frequencies, scaling, theta, dim, factor, trained);
                double? mscale = Number(scaling, "mscale");
                double? allDim = Number(scaling, "mscale_all_dim");
                _magnitude = Number(scaling, "attention_factor")
                    ?? (mscale is { } m and not 0 && allDim is { } a and not 0 ? Mscale(factor, m) / Mscale(factor, a) : Mscale(factor, 1));
                // DeepSeek's attention scales its scores as well (DeepseekV3Attention.__init__).
                SoftmaxFactor = Math.Pow(Mscale(factor, allDim ?? 0), 2);
                break;
            default:
                throw new NotSupportedException(type);
        }
    }

    /// <summary>What DeepSeek multiplies 1/sqrt(d) with.</summary>
    public double SoftmaxFactor { get; } = 1;

    /// <summary>x turned as the vector of this position.</summary>
    public double[] Rotate(double[] x, int position)
    {
        double[] y = new double[x.Length];
        for (int i = 0; i < _frequencies.Length; i++)
        {
            int a = _interleaved ? 2 * i : i;
            int b = _interleaved ? (2 * i) + 1 : i + _frequencies.Length;
            double cos = Math.Cos(position * _frequencies[i]) * _magnitude;
            double sin = Math.Sin(position * _frequencies[i]) * _magnitude;
            y[a] = (x[a] * cos) - (x[b] * sin);
            y[b] = (x[b] * cos) + (x[a] * sin);
        }

        return y;
    }

    // arXiv:2309.00071, section 3.4.
    private static double Mscale(double factor, double mscale) => factor <= 1 ? 1 : 1 + (0.1 * mscale * Math.Log(factor));

    // Long waves are divided, short ones stay, and between the two bounds a blend.
    private static double Llama3(double f, double factor, double trained, double slowWave, double fastWave)
    {
        double wave = 2 * Math.PI / f;
        if (wave > slowWave)
        {
            return f / factor;
        }

        if (wave < fastWave)
        {
            return f;
        }

        double low = trained / slowWave;
        double high = trained / fastWave;
        double smooth = ((trained / wave) - low) / (high - low);
        return ((1 - smooth) * f / factor) + (smooth * f);
    }

    // arXiv:2309.00071, section 3.2: which dimension makes how many turns within the trained context.
    private static double[] Yarn(double[] f, JsonElement? scaling, double theta, int dim, double factor, double trained)
    {
        double Dimension(double turns) => dim * Math.Log(trained / (turns * 2 * Math.PI)) / (2 * Math.Log(theta));

        double first = Dimension(Number(scaling, "beta_fast") ?? 32);
        double last = Dimension(Number(scaling, "beta_slow") ?? 1);
        if (Flag(scaling, "truncate") ?? true)
        {
            first = Math.Floor(first);
            last = Math.Ceiling(last);
        }

        first = Math.Max(first, 0);
        last = Math.Min(last, dim - 1);
        last = first == last ? last + 0.001 : last;
        return [.. f.Select((v, i) =>
        {
            double stretched = Math.Min(1, Math.Max(0, (i - first) / (last - first)));
            return (v / factor * stretched) + (v * (1 - stretched));
        })];
    }

    private static double? Number(JsonElement? e, string key) => Find(e, key)?.GetDouble();

    private static string? Text(JsonElement? e, string key) => Find(e, key)?.GetString();

    private static bool? Flag(JsonElement? e, string key) => Find(e, key)?.GetBoolean();

    private static JsonElement? Find(JsonElement? e, string key)
        => e is { } o && o.TryGetProperty(key, out JsonElement v) && v.ValueKind != JsonValueKind.Null ? v : null;
}
