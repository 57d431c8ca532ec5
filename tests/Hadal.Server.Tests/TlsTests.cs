using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Hadal.Numerics;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

public sealed class TlsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("hadal-tls").FullName;

    private readonly List<X509Certificate2> _written = [];

    private string Cert => Path.Combine(_folder, "cert.pem");

    private string Key => Path.Combine(_folder, "key.pem");

    [Fact]
    public async Task Https_WithPemFiles_ServesAndTakesARenewedCertificate()
    {
        Write("first");
        await using var server = await ServerFixture.StartAsync(new ScriptedEngine(), options => options with { TlsCertPath = Cert, TlsKeyPath = Key });
        Assert.Equal("https", server.BaseAddress.Scheme);
        Assert.Equal("CN=first", await SubjectAsync(server));
        Assert.StartsWith("HTTP/1.1 200", await GetHealthAsync(server), StringComparison.Ordinal);

        // Half written, the old one goes on; whole, the new one is taken.
        await File.WriteAllTextAsync(Cert, "-----BEGIN CERTIFICATE-----", TestContext.Current.CancellationToken);
        Assert.Equal("CN=first", await SubjectAsync(server));
        Write("second");
        Assert.Equal("CN=second", await SubjectAsync(server));
    }

    [Fact]
    public void Build_WithoutAKeyOrWithABadCertificate_IsRefused()
    {
        Assert.Contains("--tls-key", Assert.Throws<HadalException>(() => OptionChecks.Check(new HadalServerOptions { TlsCertPath = Cert })).Message, StringComparison.Ordinal);
        File.WriteAllText(Cert, "no certificate");
        File.WriteAllText(Key, "no key");
        HadalException e = Assert.Throws<HadalException>(() => HadalServer.Build(
            new HadalServerOptions { TlsCertPath = Cert, TlsKeyPath = Key }, [ServerFixture.Toy(new ScriptedEngine())], Microsoft.Extensions.Logging.Abstractions.NullLoggerFactory.Instance));
        Assert.Contains(Cert, e.Message, StringComparison.Ordinal);
    }

    public void Dispose()
    {
        _written.ForEach(certificate => certificate.Dispose());
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<string> SubjectAsync(ServerFixture server)
    {
        await using SslStream ssl = await ConnectAsync(server);
        return ssl.RemoteCertificate!.Subject;
    }

    private async Task<string> GetHealthAsync(ServerFixture server)
    {
        await using SslStream ssl = await ConnectAsync(server);
        await ssl.WriteAsync("GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        using var reader = new StreamReader(ssl);
        return await reader.ReadToEndAsync(TestContext.Current.CancellationToken);
    }

    /// <summary>Trusts the certificates that this test has written, and no other.</summary>
    private async Task<SslStream> ConnectAsync(ServerFixture server)
    {
        var socket = new TcpClient();
        await socket.ConnectAsync("127.0.0.1", server.BaseAddress.Port, TestContext.Current.CancellationToken);
        var ssl = new SslStream(socket.GetStream());
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        policy.CustomTrustStore.AddRange(_written.ToArray());
        await ssl.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", CertificateChainPolicy = policy }, TestContext.Current.CancellationToken);
        return ssl;
    }

    private void Write(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        request.CertificateExtensions.Add(names.Build());
        X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, new DateTimeOffset(9999, 1, 1, 0, 0, 0, TimeSpan.Zero));
        _written.Add(certificate);
        File.WriteAllText(Key, key.ExportPkcs8PrivateKeyPem());
        File.WriteAllText(Cert, certificate.ExportCertificatePem());
    }
}
