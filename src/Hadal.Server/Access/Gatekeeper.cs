using System.Net;
using System.Security.Cryptography;
using System.Text;
using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;

namespace Hadal.Server.Access;

/// <summary>Who may come in: host names, origins, API keys.</summary>
internal sealed class Gatekeeper
{
    private readonly HadalServerOptions _options;
    private readonly (byte[] Hash, Caller Caller)[] _keys;
    private readonly Caller _anonymous;
    private readonly HashSet<string>? _hosts;
    private readonly HashSet<string> _origins;

    public Gatekeeper(HadalServerOptions options)
    {
        _options = options;
        _keys = [.. options.AllKeys().Select(key => (key.Hash.ToArray(), new Caller(key, options.TimeProvider)))];
        _anonymous = new Caller(key: null, options.TimeProvider);
        _origins = new HashSet<string>(options.CorsOrigins, StringComparer.OrdinalIgnoreCase);

        // A page from anywhere may have its own name resolve to 127.0.0.1 and then is of this server's origin (DNS rebinding); only its Host header tells.
        // With keys it would not know one; and a server for others is reached by names that are not known here.
        _hosts = _keys.Length == 0 && !options.IsInProcess && IsLoopback(options.Host)
            ? new HashSet<string>([options.Host, "localhost", "127.0.0.1", "[::1]", "::1", .. options.AllowedHosts], StringComparer.OrdinalIgnoreCase)
            : null;
    }

    public static bool IsLoopback(string host) => host == "localhost" || IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address);

    /// <summary>Lets the request in, or says why not.</summary>
    /// <returns>Null where it is answered already: a browser's question beforehand.</returns>
    /// <exception cref="ApiException">It stays outside.</exception>
    public Caller? Admit(HttpContext context)
    {
        if (_hosts is not null && !_hosts.Contains(context.Request.Host.Host))
        {
            throw new ApiException(
                403,
                "invalid_request_error",
                $"The Host header is '{ApiException.Shorten(context.Request.Host.Value ?? "")}'; without API keys this server answers only to {string.Join(", ", _hosts.Order(StringComparer.Ordinal))}. Set API keys, or allow the name (--allowed-host).",
                null,
                "host_not_allowed");
        }

        bool isAllowedOrigin = AddCorsHeaders(context);
        if (HttpMethods.IsOptions(context.Request.Method) && isAllowedOrigin && context.Request.Headers.ContainsKey(HeaderNames.AccessControlRequestMethod))
        {
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return null;
        }

        if (_keys.Length == 0 || context.Request.Path == "/health")
            return _anonymous;
        return Find(context) ?? throw ApiException.Unauthorized();
    }

    private bool AddCorsHeaders(HttpContext context)
    {
        if (_origins.Count == 0)
            return false;
        var headers = context.Response.Headers;
        headers.Append(HeaderNames.Vary, HeaderNames.Origin);
        string origin = context.Request.Headers.Origin.ToString();
        bool isAllowed = origin.Length > 0 && (_origins.Contains(origin) || _origins.Contains("*"));
        if (!isAllowed)
            return false;

        // No Allow-Credentials: keys come in a header, never in a cookie.
        headers.AccessControlAllowOrigin = origin;
        headers.AccessControlAllowMethods = "GET, POST";
        headers.AccessControlAllowHeaders = "authorization, content-type, x-request-timeout";
        headers.AccessControlExposeHeaders = "x-request-id, retry-after, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";
        headers.AccessControlMaxAge = "600";
        return true;
    }

    /// <summary>Compares hashes, so that neither time nor length tells anything of a key; and all of them, whichever matches.</summary>
    private Caller? Find(HttpContext context)
    {
        string header = context.Request.Headers.Authorization.ToString();
        if (!header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
            return null;
        byte[] given = SHA256.HashData(Encoding.UTF8.GetBytes(header["Bearer ".Length..].Trim()));
        Caller? found = null;
        foreach ((byte[] hash, var caller) in _keys)
            found = CryptographicOperations.FixedTimeEquals(hash, given) ? caller : found;
        return found;
    }
}
