using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Http;

/// <summary>A JSON answer written straight into the response's pipe.</summary>
internal sealed class JsonResponse : IAsyncDisposable
{
    private readonly HttpContext _context;

    private JsonResponse(HttpContext context)
    {
        _context = context;
        Json = new Utf8JsonWriter(context.Response.BodyWriter, JsonOutput.WriterOptions);
    }

    public Utf8JsonWriter Json { get; }

    public static JsonResponse Begin(HttpContext context)
    {
        context.Response.ContentType = "application/json";
        return new JsonResponse(context);
    }

    public async Task CompleteAsync()
    {
        Json.Flush();
        await _context.Response.BodyWriter.FlushAsync(CancellationToken.None);
    }

    public ValueTask DisposeAsync()
    {
        // Not Json.DisposeAsync: a half-written body after an exception must not be pushed out.
        Json.Reset(Stream.Null);
        return Json.DisposeAsync();
    }
}
