using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Hadal.Server.Tests.Fakes;

/// <summary>A socket that says what it is told to, right or wrong.</summary>
internal sealed class RawClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public static async Task<RawClient> ConnectAsync(ServerFixture server, int? receiveBufferSize = null)
    {
        var client = new RawClient();
        if (receiveBufferSize is { } size)
            client._socket.ReceiveBufferSize = size;
        await client._socket.ConnectAsync(IPAddress.Loopback, server.BaseAddress.Port, TestContext.Current.CancellationToken);
        return client;
    }

    public static string Post(string path, string body) =>
        $"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public async Task SendAsync(string text) => await _socket.SendAsync(Encoding.UTF8.GetBytes(text), TestContext.Current.CancellationToken);

    /// <summary>What comes next, until the text holds something; or all, where that is null.</summary>
    public async Task<string> ReadAsync(string? until = null)
    {
        var text = new StringBuilder();
        byte[] buffer = new byte[16 << 10];
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        timeout.CancelAfter(TimeSpan.FromSeconds(20));
        while (until is null || !text.ToString().Contains(until, StringComparison.Ordinal))
        {
            int read;
            try
            {
                read = await _socket.ReceiveAsync(buffer, timeout.Token);
            }
            catch (SocketException)
            {
                read = 0; // cut off
            }

            if (read == 0)
                return text.ToString();
            text.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }

        return text.ToString();
    }

    /// <summary>Goes without a goodbye: the server sees a reset.</summary>
    public void Vanish() => _socket.Close(0);

    public void Dispose() => _socket.Dispose();
}
