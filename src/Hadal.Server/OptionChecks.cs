using System.Net;
using Hadal.Numerics;
using Hadal.Server.Access;

namespace Hadal.Server;

/// <summary>What <see cref="HadalServerOptions"/> must hold before anything starts.</summary>
internal static class OptionChecks
{
    /// <exception cref="HadalException">An option is out of range.</exception>
    public static void Check(HadalServerOptions options)
    {
        if (options.Host is not ("*" or "localhost") && !IPAddress.TryParse(options.Host, out _))
            throw new HadalException($"Host is '{options.Host}'; an IP address, localhost or * is expected.");
        if (options.Port is < 0 or > 65535)
            throw new HadalException($"Port is {options.Port}; 0 (any free one) to 65535 is expected.");
        if (options.Host == "localhost" && options.Port == 0)
            throw new HadalException("Port 0 needs an IP address as Host: localhost is two addresses, which would get different ports.");
        if (options.MaxBodyBytes < 1 || options.MaxN < 1 || options.DrainTimeout < TimeSpan.Zero)
            throw new HadalException($"MaxBodyBytes is {options.MaxBodyBytes}, MaxN is {options.MaxN}, DrainTimeout is {options.DrainTimeout}; the first two must be at least 1, the last not negative.");
        if (options.MaxJsonDepth is < 8 or > 1024 || options.MaxHeaderBytes < 1024 || options.MinBodyBytesPerSecond < 1 || options.MaxTokens < 1)
            throw new HadalException($"MaxJsonDepth is {options.MaxJsonDepth} (8 to 1024), MaxHeaderBytes {options.MaxHeaderBytes} (1024 and more), MinBodyBytesPerSecond {options.MinBodyBytesPerSecond} and MaxTokens {options.MaxTokens} (1 and more); one is out of range.");
        AboveZero(nameof(options.HeaderTimeout), options.HeaderTimeout);
        AboveZero(nameof(options.SlowReaderTimeout), options.SlowReaderTimeout);
        AboveZero(nameof(options.RequestTimeout), options.RequestTimeout);
        AboveZero(nameof(options.IdleUnload), options.IdleUnload);
        if (options.ApiKeys.Any(string.IsNullOrWhiteSpace))
            throw new HadalException("One of the API keys is empty, which would let everybody in.");
        if (options.TlsCertPath is null != options.TlsKeyPath is null)
            throw new HadalException("TLS needs both a certificate (--tls-cert) and its key (--tls-key); one is missing.");
        foreach (string origin in options.CorsOrigins)
        {
            if (origin != "*" && !(Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.GetLeftPart(UriPartial.Authority) == origin))
                throw new HadalException($"CORS origin '{origin}': expected scheme, host and port alone, as https://example.org, or * for all.");
        }

        if (!Gatekeeper.IsLoopback(options.Host) && !options.HasKeys && !options.AllowAnonymous)
            throw new HadalException($"Host {options.Host} can be reached from other machines, and there are no API keys: anyone could use the server. Set keys (--api-keys), or say that this is meant (--allow-anonymous).");
    }

    private static void AboveZero(string name, TimeSpan? value)
    {
        if (value <= TimeSpan.Zero || value > TimeSpan.FromDays(1))
            throw new HadalException($"{name} is {value}; it must be above zero and at most a day.");
    }
}
