namespace Hadal.Optimize.Sensitivity;

public enum QuantBudgetKind
{
    /// <summary>Bytes of all tensors.</summary>
    Bytes,

    /// <summary>Bytes of all tensors, as a share of the base's in bf16.</summary>
    Share,

    /// <summary>Nats a token above the base, on text kept back from calibration.</summary>
    NllRise,

    /// <summary>Milliseconds a decoded token, told from bytes and the machine's read bandwidth.</summary>
    LatencyMs,
}
