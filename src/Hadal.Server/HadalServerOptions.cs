namespace Hadal.Server;

public sealed record HadalServerOptions
{
    /// <summary>An IP address, or <c>localhost</c>, or <c>*</c> for every interface. Loopback unless told: there is no TLS here.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes a free port; the listening log line and <c>app.Urls</c> say which.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>Requests must carry one of these as <c>Authorization: Bearer</c>; empty for no check. /health is always open.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Above this a request gets 413.</summary>
    public long MaxBodyBytes { get; init; } = 16 << 20;

    /// <summary>Answers of one request: <c>n</c>, times the number of prompts.</summary>
    public int MaxN { get; init; } = 128;

    /// <summary>Used where a request says nothing; null for the model's generation_config.json, and without that the OpenAI default.</summary>
    public float? DefaultTemperature { get; init; }

    public float? DefaultTopP { get; init; }

    public int? DefaultTopK { get; init; }

    public ReasoningMode Reasoning { get; init; } = ReasoningMode.Auto;

    /// <summary>How long running requests may go on after a stop signal before they are cancelled.</summary>
    public TimeSpan DrainTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A stream's status line waits this long for the first token, so that a request the engine refuses gets a proper status;
    /// then it is sent anyway, so that no client gives up while a long prompt is computed.
    /// </summary>
    public TimeSpan StreamStartDelay { get; init; } = TimeSpan.FromSeconds(1);

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}
