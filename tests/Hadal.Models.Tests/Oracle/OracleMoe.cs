namespace Hadal.Models.Tests.Oracle;

/// <summary>Σ over the chosen experts of weight · expert(x), plus the shared experts, which are one feed-forward (arXiv:2401.06066).</summary>
internal sealed class OracleMoe(OracleConfig config, OracleTensors tensors, string name)
{
    private readonly OracleSwiGlu[] _experts =
        [.. Enumerable.Range(0, config.Int("n_routed_experts")).Select(e => new OracleSwiGlu(tensors, $"{name}.experts.{e}", bias: false))];

    private readonly OracleSwiGlu? _shared = config.SharedExperts > 0 ? new OracleSwiGlu(tensors, $"{name}.shared_experts", bias: false) : null;

    public OracleRouter Router { get; } = new(config, tensors, name);

    public double[] Forward(double[] x)
    {
        double[] y = _shared is null ? new double[x.Length] : _shared.Forward(x);
        foreach ((int expert, double weight) in Router.Forward(x))
        {
            y = OracleMath.Add(y, [.. _experts[expert].Forward(x).Select(v => v * weight)]);
        }

        return y;
    }
}
