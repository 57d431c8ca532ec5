namespace Hadal.Bench;

/// <summary>What one call of a case must do, and what the machine could do when it ran.</summary>
/// <param name="Bytes">Read and written, each once.</param>
/// <param name="Operations">Multiplications and additions.</param>
/// <param name="Ceilings">Measured right before; null where the data of a case lie in the caches, which memory does not bound.</param>
internal sealed record CaseWork(double Bytes, double Operations, Ceilings? Ceilings)
{
    /// <summary>The least time the machine could take, as a share of what it took, and what bounds it.</summary>
    public (double Share, string Bound)? Share(double seconds)
    {
        if (Ceilings is not { } c)
        {
            return null;
        }

        double reads = Bytes / (c.ReadGBps * 1e9);
        double arithmetic = c.Gops is { } gops ? Operations / (gops * 1e9) : 0;
        return (Math.Max(reads, arithmetic) / seconds, reads > arithmetic ? $"{c.ReadGBps:0} GB/s" : $"{c.Gops:0} GOP/s");
    }
}
