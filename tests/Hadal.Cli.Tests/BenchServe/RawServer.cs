using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Hadal.Cli.Tests.BenchServe;

/// <summary>Answers every request with bytes a test made up, right or wrong, and closes the connection.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly Func<string, string> _answer;
    private readonly Task _loop;

    /// <param name="answer">From a request's text (head and body) to the answer; what it returns is sent as it is.</param>
    public RawServer(Func<string, string> answer)
    {
        _answer = answer;
        _listener.Start();
        _loop = AcceptAsync();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    public static string Response(string status, string type, string body) => $"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nConnection: close\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket socket = await _listener.AcceptSocketAsync(_end.Token);
            _ = ServeAsync(socket);
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using (socket)
        {
            var text = new StringBuilder();
            byte[] buffer = new byte[65536];
            while (!IsComplete(text.ToString()))
            {
                int count = await socket.ReceiveAsync(buffer, _end.Token);
                if (count == 0)
                {
                    return;
                }

                text.Append(Encoding.UTF8.GetString(buffer, 0, count));
            }

            await socket.SendAsync(Encoding.UTF8.GetBytes(_answer(text.ToString())), _end.Token);
            socket.Shutdown(SocketShutdown.Send);
        }
    }

    private static bool IsComplete(string request)
    {
        int body = request.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4;
        if (body < 4)
        {
            return false;
        }

        int at = request.IndexOf("Content-Length: ", StringComparison.OrdinalIgnoreCase);
        return at < 0 || request.Length - body >= int.Parse(request.AsSpan(at + 16, request.IndexOf('\r', at) - at - 16));
    }
}
