using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Hadal.Server.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Http;

/// <summary>
/// Server-sent events: <c>data: JSON</c> and a blank line. Writes go into the response's pipe without a copy; nothing leaves before
/// <see cref="FlushAsync"/>, so that tokens which came together leave together.
/// </summary>
internal sealed class SseWriter(HttpContext context) : IDisposable
{
    private readonly PipeWriter _pipe = context.Response.BodyWriter;
    private readonly HadalServerOptions _options = context.Features.Get<HadalServerOptions>()!;
    private readonly Utf8JsonWriter _json = new(Stream.Null, JsonOutput.WriterOptions);

    public long UnflushedBytes => _pipe.UnflushedBytes;

    public static void SetHeaders(HttpContext context)
    {
        context.Response.ContentType = "text/event-stream; charset=utf-8";
        context.Response.Headers.CacheControl = "no-cache";

        // nginx holds back proxied answers unless told otherwise.
        context.Response.Headers["X-Accel-Buffering"] = "no";
    }

    public Utf8JsonWriter BeginData()
    {
        _pipe.Write("data: "u8);
        _json.Reset(_pipe);
        return _json;
    }

    /// <summary>An event with a name.</summary>
    public Utf8JsonWriter BeginEvent(ReadOnlySpan<byte> name)
    {
        _pipe.Write("event: "u8);
        _pipe.Write(name);
        _pipe.Write("\n"u8);
        return BeginData();
    }

    /// <summary>The API's one error shape.</summary>
    public void Error(ApiException error)
    {
        ApiError.Write(BeginData(), error);
        EndData();
    }

    public void EndData()
    {
        _json.Flush();
        _pipe.Write("\n\n"u8);
    }

    public void Done() => _pipe.Write("data: [DONE]\n\n"u8);

    /// <summary>
    /// Waits while a slow reader's buffers are full, and cuts it off in the end. A closed connection ends the wait; it is noticed through RequestAborted.
    /// </summary>
    /// <exception cref="SlowReaderException">Nothing was taken for the time there is (<see cref="HadalServerOptions.SlowReaderTimeout"/>).</exception>
    public async ValueTask FlushAsync()
    {
        var flush = _pipe.FlushAsync(CancellationToken.None);
        if (flush.IsCompleted)
        {
            await flush;
            return;
        }

        Task task = flush.AsTask();
        try
        {
            await task.WaitAsync(_options.SlowReaderTimeout, _options.TimeProvider);
        }
        catch (TimeoutException)
        {
            if (context.Features.Get<RequestTrace>() is { } trace)
                trace.Outcome = Outcomes.SlowReader;
            context.Abort();
            await task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw new SlowReaderException(_options.SlowReaderTimeout);
        }
    }

    public void Dispose()
    {
        _json.Reset(Stream.Null);
        _json.Dispose();
    }
}
