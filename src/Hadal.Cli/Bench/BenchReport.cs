using Hadal.Cli.Session;

namespace Hadal.Cli.Bench;

internal sealed record BenchReport
{
    public required string Model { get; init; }

    public required string Command { get; init; }

    public required string Version { get; init; }

    public required string Machine { get; init; }

    public required string Device { get; init; }

    /// <summary>Null where the device is no CPU.</summary>
    public required int? Threads { get; init; }

    public required string InstructionSets { get; init; }

    /// <summary>As --weight-dtype says.</summary>
    public required string WeightDtype { get; init; }

    /// <summary>Tensors and bytes by type, as stored or made: what fell back to another type is seen here.</summary>
    public required IReadOnlyList<WeightTotal> StoredDtypes { get; init; }

    public required string Dtype { get; init; }

    public required string KvDtype { get; init; }

    public required string Fusion { get; init; }

    public required double LoadSeconds { get; init; }

    /// <summary>With --pack-cache: packed weights that loading read from it, and those it had to pack.</summary>
    public int? PackCacheRead { get; init; }

    public int? PackCachePacked { get; init; }

    public required long WeightBytes { get; init; }

    /// <summary>Bytes of weights that one decoded token reads.</summary>
    public required long WeightBytesPerToken { get; init; }

    public required IReadOnlyList<BenchCase> Cases { get; init; }

    public required long PeakMemoryBytes { get; init; }
}
