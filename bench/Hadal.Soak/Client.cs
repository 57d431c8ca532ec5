using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Hadal.Soak;

/// <summary>One client: asks, reads, asks again.</summary>
internal sealed class Client(SoakOptions options, Tally tally, int number, Habit habit) : IDisposable
{
    private readonly Random _random = new(number);
    private readonly byte[] _buffer = new byte[4 << 10];
    private Socket? _socket;

    /// <summary>Tokens of its whole answers.</summary>
    public long NumTokens { get; private set; }

    public async Task RunAsync(CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            try
            {
                await (habit switch
                {
                    Habit.Stalled => StallAsync(end),
                    Habit.Vanishing => VanishAsync(end),
                    _ => ReadWholeAsync(),
                });
            }
            catch (OperationCanceledException)
            {
                // The soak is over; readers of whole answers are not cut short by it.
            }
            catch (Exception e) when (e is SocketException or IOException)
            {
                tally.AddError($"{habit}: {(e as SocketException)?.SocketErrorCode.ToString() ?? e.GetType().Name}");
                Close();
            }
        }

        Close();
    }

    public void Dispose() => Close();

    private async Task ReadWholeAsync()
    {
        await AskAsync(_random.Next(options.MaxTokens / 4, options.MaxTokens + 1), logProbs: false);
        long start = Stopwatch.GetTimestamp();
        double first = 0;
        var stream = new EventStream();
        while (!stream.IsEnded)
        {
            int read = await _socket!.ReceiveAsync(habit == Habit.Slow ? _buffer.AsMemory(0, 512) : _buffer);
            string? wrong = read == 0 ? stream.End() ?? "closed" : stream.Append(_buffer.AsSpan(0, read));
            if (wrong is not null)
            {
                tally.AddError($"{habit}: {wrong}");
                Close();
                return;
            }

            if (first == 0 && stream.NumDeltas > 0)
                first = Stopwatch.GetElapsedTime(start).TotalSeconds;
            if (habit == Habit.Slow)
                await Task.Delay(20);
        }

        if (stream.End() is { } incomplete)
        {
            tally.AddError($"{habit}: {incomplete}");
            return;
        }

        NumTokens += stream.NumTokens;
        tally.AddStream(stream.NumTokens, first);
    }

    /// <summary>Asks for more than any buffer on the way holds, and takes none of it until the server has long had enough.</summary>
    private async Task StallAsync(CancellationToken end)
    {
        await AskAsync(1500, logProbs: true);
        await Task.Delay(TimeSpan.FromSeconds(45), end);
        bool isDone = false;
        try
        {
            var text = new StringBuilder();
            int read;
            while ((read = await _socket!.ReceiveAsync(_buffer)) > 0 && !isDone)
            {
                text.Append(Encoding.ASCII.GetString(_buffer, 0, read));
                isDone = text.ToString(Math.Max(0, text.Length - 4200), Math.Min(text.Length, 4200)).Contains("[DONE]", StringComparison.Ordinal);
            }
        }
        catch (SocketException)
        {
            // Cut off by a reset.
        }

        if (isDone)
            tally.AddError("Stalled: was served to the end");
        else
            tally.AddCut();
        Close();
    }

    private async Task VanishAsync(CancellationToken end)
    {
        await AskAsync(1500, logProbs: false);
        for (int i = 0; i < 5; i++)
        {
            if (await _socket!.ReceiveAsync(_buffer, end) == 0)
                break;
        }

        _socket!.Close(0);
        _socket = null;
        tally.AddVanished();
        await Task.Delay(_random.Next(500), end);
    }

    private async Task AskAsync(int maxTokens, bool logProbs)
    {
        if (_socket is null)
        {
            _socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            if (habit is Habit.Stalled or Habit.Slow)
                _socket.ReceiveBufferSize = 4096;
            await _socket.ConnectAsync(IPAddress.Loopback, options.Url.Port);
        }

        string body = $$"""{"model":"{{options.Model}}","messages":[{"role":"user","content":"Tell me a story about the number {{_random.Next(1000)}}."}],"stream":true,"stream_options":{"include_usage":true},"max_tokens":{{maxTokens}},"ignore_eos":true{{(logProbs ? ",\"logprobs\":true,\"top_logprobs\":20" : "")}}}""";
        string head = $"POST /v1/chat/completions HTTP/1.1\r\nHost: {options.Url.Authority}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n";
        await _socket.SendAsync(Encoding.ASCII.GetBytes(head + body));
    }

    private void Close()
    {
        _socket?.Dispose();
        _socket = null;
    }
}
