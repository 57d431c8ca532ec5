using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Hadal.Numerics;
using Microsoft.Extensions.Logging;

namespace Hadal.Server.Http;

/// <summary>
/// A certificate and its key from PEM files, read again when they have changed, so that a renewed one needs no restart. While the files can't be read (one is written
/// before the other), the old one goes on. Thread-safe.
/// </summary>
internal sealed class Certificate
{
    private readonly string _certPath;
    private readonly string _keyPath;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private (DateTime Cert, DateTime Key) _stamps;
    private X509Certificate2 _current;

    /// <exception cref="HadalException">The files hold no certificate and key that belong together.</exception>
    public Certificate(string certPath, string keyPath, ILogger logger)
    {
        _certPath = certPath;
        _keyPath = keyPath;
        _logger = logger;
        _stamps = Stamps();
        try
        {
            _current = X509Certificate2.CreateFromPemFile(certPath, keyPath);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
        {
            throw new HadalException($"--tls-cert {certPath}, --tls-key {keyPath}: expected a certificate and its private key in PEM. {exception.Message}", exception);
        }
    }

    public X509Certificate2 Current
    {
        get
        {
            lock (_lock)
            {
                var stamps = Stamps();
                if (stamps == _stamps)
                    return _current;
                try
                {
                    // The old one is not disposed: a handshake may be using it.
                    _current = X509Certificate2.CreateFromPemFile(_certPath, _keyPath);
                    _stamps = stamps;
                    Log.CertificateReloaded(_logger);
                }
                catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException or ArgumentException)
                {
                    Log.CertificateFailed(_logger, exception);
                }

                return _current;
            }
        }
    }

    private (DateTime Cert, DateTime Key) Stamps() => (File.GetLastWriteTimeUtc(_certPath), File.GetLastWriteTimeUtc(_keyPath));
}
