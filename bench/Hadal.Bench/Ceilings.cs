using Hadal.Jit;

namespace Hadal.Bench;

/// <summary>What the machine could do in the seconds before a case ran.</summary>
/// <param name="ReadGBps">Reading memory no cache holds.</param>
/// <param name="Gops">Multiply-adds of the kind the case uses; null where it uses none or the machine has none.</param>
internal sealed record Ceilings(double ReadGBps, double? Gops)
{
    public static Ceilings Measure(WorkerPool pool, MultiplyAdd? instruction)
        => new(ReadBandwidth.MeasureGBps(pool, bufferMiB: 256), instruction is { } i ? MultiplyAddRate.MeasureGops(pool, i) : null);
}
