using System.Buffers;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text.Json;
using Hadal.Numerics;

namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// Streams answers of an OpenAI-compatible server and times them. A stream is a few objects and no thread, so that a thousand of them
/// cost the machine little of what the server needs. Thread-safe.
/// </summary>
internal sealed class CompletionClient : IDisposable
{
    private readonly LoadPlan _plan;
    private readonly HttpClient _http;
    private readonly Uri _route;

    public CompletionClient(LoadPlan plan)
    {
        _plan = plan;
        _http = CreateHttp(plan.ApiKey);
        _route = Route(plan.BaseUrl, plan.IsChat ? "chat/completions" : "completions");
    }

    /// <summary>Without a time-out of its own: each request has one.</summary>
    public static HttpClient CreateHttp(string? apiKey)
    {
        var http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            MaxConnectionsPerServer = int.MaxValue,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(5),
        })
        {
            Timeout = System.Threading.Timeout.InfiniteTimeSpan,
        };
        http.DefaultRequestHeaders.Authorization = apiKey is null ? null : new AuthenticationHeaderValue("Bearer", apiKey);
        return http;
    }

    public static Uri Route(Uri baseUrl, string path) => new($"{baseUrl.AbsoluteUri.TrimEnd('/')}/{path}");

    /// <summary>Asks and reads to the end. Throws nothing of the network's: what went wrong is in the outcome.</summary>
    /// <param name="prompt">What to ask.</param>
    /// <param name="lag">How late it is.</param>
    /// <param name="onText">Told of every chunk with text.</param>
    /// <param name="cancellationToken">The load is being ended.</param>
    public async Task<RequestOutcome> SendAsync(BenchPrompt prompt, TimeSpan lag, Action onText, CancellationToken cancellationToken)
    {
        long sent = Stopwatch.GetTimestamp();
        var answer = new AnswerClock(sent, onText);
        string? error;
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_plan.Timeout);
        try
        {
            error = await StreamAsync(prompt, answer, deadline.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            error = "timeout";
        }
        catch (HttpRequestException e)
        {
            error = Kind(e);
        }
        catch (Exception e) when (e is IOException or SocketException)
        {
            error = "connection_broken";
        }
        catch (Exception e) when (e is JsonException or InvalidDataException)
        {
            error = "malformed_stream";
        }

        return answer.End(error, cancellationToken.IsCancellationRequested && error is not null, lag);
    }

    /// <summary>A short request that is not timed: does the server answer, and what does the prompt cost? Null where it reports no usage.</summary>
    /// <exception cref="HadalException">It does not answer as it should.</exception>
    public async Task<int?> ProbeAsync(string text, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Request(new BenchPrompt(text, 1), stream: false);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(_plan.Timeout);
        try
        {
            using HttpResponseMessage response = await _http.SendAsync(request, deadline.Token).ConfigureAwait(false);
            byte[] body = await response.Content.ReadAsByteArrayAsync(deadline.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
            {
                throw new HadalException($"{_route}: answered {(int)response.StatusCode}: {Shorten(System.Text.Encoding.UTF8.GetString(body))}");
            }

            ChunkReader answer = ChunkReader.Read(body);
            return answer.HasUsage ? answer.PromptTokens : null;
        }
        catch (HttpRequestException e)
        {
            throw new HadalException($"{_route}: {e.Message}", e);
        }
        catch (JsonException e)
        {
            throw new HadalException($"{_route}: answered with what is no JSON: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HadalException($"{_route}: did not answer within {_plan.Timeout.TotalSeconds} s.", e);
        }
    }

    public void Dispose() => _http.Dispose();

    private static string Kind(HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError => "connection_failed",
        HttpRequestError.SecureConnectionError => "tls_failed",
        HttpRequestError.InvalidResponse => "malformed_response",
        _ => "connection_broken",
    };

    private static string Shorten(string text) => text.Length <= 500 ? text : text[..500] + "…";

    private async Task<string?> StreamAsync(BenchPrompt prompt, AnswerClock answer, CancellationToken cancellationToken)
    {
        using HttpRequestMessage request = Request(prompt, stream: true);
        using HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            byte[] body = await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false);
            return $"http_{(int)response.StatusCode}{ErrorOf(body)}";
        }

        if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            return "not_a_stream";
        }

        using var events = new SseReader();
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        while (true)
        {
            int count = await stream.ReadAsync(events.GetMemory(), cancellationToken).ConfigureAwait(false);
            if (count == 0)
            {
                return events.HasRest ? "malformed_stream" : answer.WhyIncomplete;
            }

            events.Advance(count);
            long now = Stopwatch.GetTimestamp();
            while (events.TryRead(out ReadOnlySpan<byte> data))
            {
                if (answer.Add(data, now) is { } error)
                {
                    return error;
                }
            }
        }
    }

    private static string ErrorOf(byte[] body)
    {
        try
        {
            return ChunkReader.Read(body).Error is { } error ? " " + Shorten(error) : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }

    private HttpRequestMessage Request(BenchPrompt prompt, bool stream)
    {
        var bytes = new ArrayBufferWriter<byte>(prompt.Text.Length + 256);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("model"u8, _plan.Model);
            if (_plan.IsChat)
            {
                json.WriteStartArray("messages"u8);
                json.WriteStartObject();
                json.WriteString("role"u8, "user"u8);
                json.WriteString("content"u8, prompt.Text);
                json.WriteEndObject();
                json.WriteEndArray();
            }
            else
            {
                json.WriteString("prompt"u8, prompt.Text);
            }

            if (prompt.OutputTokens is { } most && !HasExtra("max_tokens") && !HasExtra("max_completion_tokens"))
            {
                json.WriteNumber("max_tokens"u8, most);
            }

            if (_plan.Temperature is { } temperature && !HasExtra("temperature"))
            {
                json.WriteNumber("temperature"u8, temperature);
            }

            // Known to Hadal, vLLM, SGLang and llama.cpp; not part of OpenAI's own API.
            if (_plan.IgnoreEos && !HasExtra("ignore_eos"))
            {
                json.WriteBoolean("ignore_eos"u8, true);
            }

            if (stream)
            {
                json.WriteBoolean("stream"u8, true);
                if (!HasExtra("stream_options"))
                {
                    json.WriteStartObject("stream_options"u8);
                    json.WriteBoolean("include_usage"u8, true);
                    json.WriteEndObject();
                }
            }

            foreach (JsonProperty extra in _plan.ExtraBody?.EnumerateObject() ?? [])
            {
                if (stream || extra.Name != "stream_options")
                {
                    extra.WriteTo(json);
                }
            }

            json.WriteEndObject();
        }

        return new HttpRequestMessage(HttpMethod.Post, _route)
        {
            Content = new ReadOnlyMemoryContent(bytes.WrittenMemory) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } },
        };
    }

    private bool HasExtra(string name) => _plan.ExtraBody?.TryGetProperty(name, out _) ?? false;
}
