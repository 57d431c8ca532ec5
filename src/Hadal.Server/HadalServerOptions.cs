using System.Globalization;
using Hadal.Engine;

namespace Hadal.Server;

public sealed record HadalServerOptions
{
    /// <summary>An IP address, or <c>localhost</c>, or <c>*</c> for every interface. Any but loopback needs keys, or <see cref="AllowAnonymous"/>.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>0 takes a free port; the listening log line and <c>app.Urls</c> say which.</summary>
    public int Port { get; init; } = 8000;

    /// <summary>Requests must carry one of these or of <see cref="Keys"/> as <c>Authorization: Bearer</c>; with neither there is no check. /health is always open.</summary>
    public IReadOnlyList<string> ApiKeys { get; init; } = [];

    /// <summary>Hashed keys, with what each may do.</summary>
    public IReadOnlyList<ApiKey> Keys { get; init; } = [];

    /// <summary>Listen where other machines can reach it although there are no keys.</summary>
    public bool AllowAnonymous { get; init; }

    /// <summary>Names besides localhost, 127.0.0.1 and [::1] that the Host header may hold on a loopback server without keys.</summary>
    public IReadOnlyList<string> AllowedHosts { get; init; } = [];

    /// <summary>Origins whose pages may call this server from a browser (<c>https://example.org</c>); <c>*</c> for all; none unless told.</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = [];

    /// <summary>PEM file of the certificate (and its chain); with <see cref="TlsKeyPath"/> the server speaks HTTPS.</summary>
    public string? TlsCertPath { get; init; }

    /// <summary>PEM file of the certificate's private key.</summary>
    public string? TlsKeyPath { get; init; }

    /// <summary>Above this a request gets 413.</summary>
    public long MaxBodyBytes { get; init; } = 16 << 20;

    /// <summary>Answers of one request: <c>n</c>, times the number of prompts.</summary>
    public int MaxN { get; init; } = 128;

    /// <summary>Nesting of a request's JSON, schemas in it included.</summary>
    public int MaxJsonDepth { get; init; } = 64;

    /// <summary>All headers of a request together; above it 431.</summary>
    public int MaxHeaderBytes { get; init; } = 32 << 10;

    /// <summary>A request's headers must be there so soon.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>A request's body must come at least so fast, after five seconds' grace.</summary>
    public int MinBodyBytesPerSecond { get; init; } = 240;

    /// <summary>Tokens of one answer at the most; null for what the context holds. A larger max_tokens is refused, and one that is not given is this.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>How long a generation may take, waiting included; requests may ask for less. Null for no limit.</summary>
    public TimeSpan? RequestTimeout { get; init; }

    /// <summary>A client that takes nothing of its stream for so long is cut off.</summary>
    public TimeSpan SlowReaderTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Unload a model that nobody has used for so long; null to keep all. Only models with a <see cref="ModelSource"/> that loads can go.</summary>
    public TimeSpan? IdleUnload { get; init; }

    /// <summary>Write prompts to the log.</summary>
    public bool LogPrompts { get; init; }

    /// <summary>Texts of one /v1/embeddings request.</summary>
    public int MaxEmbeddingInputs { get; init; } = 2048;

    /// <summary>Where a request for embeddings does not say.</summary>
    public Pooling EmbeddingPooling { get; init; } = Pooling.Mean;

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

    /// <summary>Responses of /v1/responses with <c>store</c> that are kept, in memory, to go on from; 0 for none.</summary>
    public int MaxStoredResponses { get; init; } = 1024;

    /// <summary>What they may take together.</summary>
    public long MaxStoredResponseBytes { get; init; } = 64 << 20;

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    /// <summary>Checks them, as <see cref="HadalServer.Build(HadalServerOptions, IReadOnlyList{ModelSource}, Microsoft.Extensions.Logging.ILoggerFactory)"/> does: before a model is loaded for nothing.</summary>
    /// <exception cref="Numerics.HadalException">One is out of range; the message says what is expected.</exception>
    public void Check() => OptionChecks.Check(this);

    /// <summary>Nobody comes over a socket: there is no host name to check.</summary>
    internal bool IsInProcess { get; init; }

    internal bool HasKeys => ApiKeys.Count + Keys.Count > 0;

    internal IEnumerable<ApiKey> AllKeys() => ApiKeys.Select((key, i) => ApiKey.Of(key, "key-" + (i + 1).ToString(CultureInfo.InvariantCulture))).Concat(Keys);
}
