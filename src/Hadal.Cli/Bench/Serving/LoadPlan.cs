using System.Text.Json;

namespace Hadal.Cli.Bench.Serving;

/// <summary>Whom to ask, how, and how often.</summary>
internal sealed record LoadPlan
{
    /// <summary>With the version in its path: http://127.0.0.1:8000/v1.</summary>
    public required Uri BaseUrl { get; init; }

    public string? ApiKey { get; init; }

    public required string Model { get; init; }

    /// <summary>Conversations to /chat/completions; else text to /completions.</summary>
    public required bool IsChat { get; init; }

    /// <summary>Null where <see cref="Duration"/> ends it.</summary>
    public long? NumPrompts { get; init; }

    /// <summary>After this no request is begun; those that run end.</summary>
    public TimeSpan? Duration { get; init; }

    /// <summary>Arrivals a second of an open loop; infinite for a closed one, in which a request follows upon another's end.</summary>
    public double RequestRate { get; init; } = double.PositiveInfinity;

    public double Burstiness { get; init; } = 1;

    /// <summary>Requests that run at once at the most; null for no limit.</summary>
    public int? MaxConcurrency { get; init; }

    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    public double? Temperature { get; init; }

    public bool IgnoreEos { get; init; }

    /// <summary>Further fields of every request's body; they go before those made here.</summary>
    public JsonElement? ExtraBody { get; init; }

    public int Seed { get; init; }
}
