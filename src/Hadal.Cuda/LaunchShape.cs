namespace Hadal.Cuda;

/// <summary>How a kernel is launched: blocks of the grid, threads of a block, and what else the launch asks for.</summary>
public readonly record struct LaunchShape(int GridX, int GridY, int GridZ, int BlockX)
{
    /// <summary>Dynamic shared memory of a block.</summary>
    public int SharedBytes { get; init; }

    /// <summary>Blocks of a cluster along x; 0 and 1 mean none.</summary>
    public int ClusterX { get; init; }

    /// <summary>The kernel may start before the one in front of it in the stream has ended (it calls wait_previous); cards before 9.0 ignore it.</summary>
    public bool Programmatic { get; init; } = true;

    /// <summary>What the launch computes, for error messages. Keep to constants: nothing is allocated on a launch.</summary>
    public string? What { get; init; }

    public override string ToString()
        => $"grid {GridX}x{GridY}x{GridZ}, block {BlockX}, {SharedBytes} bytes of shared memory"
        + (ClusterX > 1 ? $", clusters of {ClusterX}" : "") + (What is null ? "" : ", " + What);
}
