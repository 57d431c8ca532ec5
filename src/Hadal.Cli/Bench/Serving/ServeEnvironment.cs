namespace Hadal.Cli.Bench.Serving;

/// <summary>Where and with what it was measured. The server's side is what it says of itself.</summary>
internal sealed record ServeEnvironment
{
    /// <summary>Without the API key.</summary>
    public required string Command { get; init; }

    public required string Version { get; init; }

    public required DateTimeOffset Started { get; init; }

    /// <summary>Of the client.</summary>
    public required string Machine { get; init; }

    public required string Runtime { get; init; }

    /// <summary>The <c>Server</c> header, or what /version says; null where it says nothing.</summary>
    public string? Server { get; init; }
}
