using System.Buffers;
using System.IO.Pipelines;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Http;

/// <summary>
/// Server-sent events: <c>data: JSON</c> and a blank line. Writes go into the response's pipe without a copy; nothing leaves before
/// <see cref="FlushAsync"/>, so that tokens which came together leave together.
/// </summary>
internal sealed class SseWriter(HttpContext context) : IDisposable
{
    private readonly PipeWriter _pipe = context.Response.BodyWriter;
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

    public void EndData()
    {
        _json.Flush();
        _pipe.Write("\n\n"u8);
    }

    public void Done() => _pipe.Write("data: [DONE]\n\n"u8);

    /// <summary>Waits while a slow reader's buffers are full. A closed connection ends the wait; it is noticed through RequestAborted.</summary>
    public async ValueTask FlushAsync() => await _pipe.FlushAsync(CancellationToken.None);

    public void Dispose()
    {
        _json.Reset(Stream.Null);
        _json.Dispose();
    }
}
