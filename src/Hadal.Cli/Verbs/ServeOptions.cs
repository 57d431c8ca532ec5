using System.CommandLine;
using Hadal.Cli.Session;
using Hadal.Numerics;
using Hadal.Server;

namespace Hadal.Cli.Verbs;

/// <summary>The options of <c>hadal serve</c> that say who may ask for how much.</summary>
internal sealed class ServeOptions
{
    private const string KeysVariable = "HADAL_API_KEYS";

    private readonly Option<FileInfo?> _keys = new("--api-keys") { Description = $"File of API keys, one a line: KEY or sha256:HEX, then name=, priority=, requests-per-minute=, tokens-per-minute= (hadal keys new makes one). Every route but /health then asks for one. {KeysVariable} holds keys too, between commas", HelpName = "FILE" };

    private readonly Option<bool> _anonymous = new("--allow-anonymous") { Description = "Without keys, listen where other machines can reach it all the same" };

    private readonly Option<string[]> _hosts = new("--allowed-host") { Description = "Name besides localhost that the Host header may hold on a loopback server without keys; may be given several times", HelpName = "NAME" };

    private readonly Option<string[]> _origins = new("--cors-origin") { Description = "Origin whose pages may call the server from a browser, e.g. https://example.org; * for all; may be given several times", HelpName = "ORIGIN" };

    private readonly Option<string?> _tlsCert = new("--tls-cert") { Description = "Certificate (PEM) for HTTPS; read again when it changes", HelpName = "FILE" };

    private readonly Option<string?> _tlsKey = new("--tls-key") { Description = "The certificate's private key (PEM)", HelpName = "FILE" };

    private readonly Option<string?> _maxBody = new("--max-body") { Description = "Largest request body; by default 16MiB", HelpName = "SIZE" };

    private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "Tokens of one answer at the most; by default what the context holds", HelpName = "N" };

    private readonly Option<int> _maxN = new("--max-n") { Description = "Answers of one request at the most", DefaultValueFactory = _ => 128, HelpName = "N" };

    private readonly Option<int> _maxDepth = new("--max-json-depth") { Description = "Nesting of a request's JSON, schemas included", DefaultValueFactory = _ => 64, HelpName = "N" };

    private readonly Option<string?> _maxHeaders = new("--max-headers") { Description = "All headers of a request together; by default 32KiB", HelpName = "SIZE" };

    private readonly Option<string?> _headerTimeout = new("--header-timeout") { Description = "A request's headers must be there so soon; by default 30s", HelpName = "TIME" };

    private readonly Option<string?> _requestTimeout = new("--request-timeout") { Description = "A generation may take so long, waiting included; by default no limit", HelpName = "TIME" };

    private readonly Option<string?> _slowReader = new("--slow-reader-timeout") { Description = "A client that takes nothing of its stream for so long is cut off; by default 30s", HelpName = "TIME" };

    private readonly Option<string?> _idleUnload = new("--idle-unload") { Description = "Unload a model that nobody asked for in so long, e.g. 10m; by default models stay", HelpName = "TIME" };

    private readonly Option<bool> _logPrompts = new("--log-prompts") { Description = "Write prompts to the log" };

    public ServeOptions(Command command)
    {
        _maxTokens.InRange(1);
        _maxN.InRange(1, 65536);
        _maxDepth.InRange(8, 1024);
        foreach (Option option in new Option[] { _headerTimeout, _requestTimeout, _slowReader, _idleUnload })
        {
            option.IsDuration();
        }

        foreach (Option option in new Option[]
        {
            _keys, _anonymous, _hosts, _origins, _tlsCert, _tlsKey, _maxBody, _maxTokens, _maxN, _maxDepth, _maxHeaders, _headerTimeout, _requestTimeout, _slowReader, _idleUnload, _logPrompts,
        })
        {
            command.Options.Add(option);
        }
    }

    public HadalServerOptions Apply(ParseResult parsed, HadalServerOptions options) => options with
    {
        Keys = ReadKeys(parsed.GetValue(_keys)),
        AllowAnonymous = parsed.GetValue(_anonymous),
        AllowedHosts = parsed.GetValue(_hosts) ?? [],
        CorsOrigins = parsed.GetValue(_origins) ?? [],
        TlsCertPath = parsed.GetValue(_tlsCert),
        TlsKeyPath = parsed.GetValue(_tlsKey),
        MaxBodyBytes = parsed.GetValue(_maxBody) is { } body ? ByteSize.Parse(body, _maxBody.Name) : options.MaxBodyBytes,
        MaxTokens = parsed.GetValue(_maxTokens),
        MaxN = parsed.GetValue(_maxN),
        MaxJsonDepth = parsed.GetValue(_maxDepth),
        MaxHeaderBytes = parsed.GetValue(_maxHeaders) is { } headers ? (int)Math.Min(int.MaxValue, ByteSize.Parse(headers, _maxHeaders.Name)) : options.MaxHeaderBytes,
        HeaderTimeout = Duration.Get(parsed, _headerTimeout) ?? options.HeaderTimeout,
        RequestTimeout = Duration.Get(parsed, _requestTimeout),
        SlowReaderTimeout = Duration.Get(parsed, _slowReader) ?? options.SlowReaderTimeout,
        IdleUnload = Duration.Get(parsed, _idleUnload),
        LogPrompts = parsed.GetValue(_logPrompts),
    };

    private static List<ApiKey> ReadKeys(FileInfo? file)
    {
        var keys = new List<ApiKey>();
        if (file is not null)
        {
            keys.AddRange(Parse($"--api-keys {file.FullName}", StrictText.Read(file.FullName), '\n'));

            // Without keys the server would be open to all, which is not what whoever names a file of keys wants.
            if (keys.Count == 0)
            {
                throw new HadalException($"--api-keys {file.FullName}: holds no key; expected one a line.");
            }
        }

        if (Environment.GetEnvironmentVariable(KeysVariable) is { Length: > 0 } variable)
        {
            IReadOnlyList<ApiKey> more = Parse(KeysVariable, variable, ',', '\n');
            if (more.Count == 0)
            {
                throw new HadalException($"{KeysVariable} is set and holds no key; expected keys between commas.");
            }

            // Numbered by place, as those of the file.
            keys.AddRange(more.Select(key => keys.Any(other => other.Name == key.Name) ? key with { Name = "env-" + key.Name } : key));
        }

        return keys;
    }

    private static IReadOnlyList<ApiKey> Parse(string where, string text, params ReadOnlySpan<char> separators)
    {
        try
        {
            return ApiKey.ParseAll(text, separators);
        }
        catch (HadalException e)
        {
            throw new HadalException($"{where}: {e.Message}", e);
        }
    }
}
