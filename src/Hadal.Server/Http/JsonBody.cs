using System.Buffers;
using System.IO.Pipelines;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Http;

/// <summary>Reads a request's body as one JSON object, or throws what the client is to be told.</summary>
internal static class JsonBody
{
    /// <summary>The caller disposes the document. Every string in it is known to be readable.</summary>
    public static async Task<JsonDocument> ReadAsync(HttpContext context)
    {
        var request = context.Request;

        // Strict on purpose, also where the header is absent: a web page can send any other type to a loopback server without asking first (CORS).
        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out var type)
            || !string.Equals(type.MediaType, "application/json", StringComparison.OrdinalIgnoreCase)
            || type.CharSet is { } charset && !string.Equals(charset.Trim('"'), "utf-8", StringComparison.OrdinalIgnoreCase))
        {
            throw new ApiException(
                415,
                "invalid_request_error",
                $"Content-Type is '{ApiException.Shorten(request.ContentType ?? "")}'; it must be application/json in UTF-8.",
                null,
                "unsupported_media_type");
        }

        while (true)
        {
            ReadResult read;
            try
            {
                read = await request.BodyReader.ReadAsync(context.RequestAborted);
            }
            catch (IOException exception) when (exception is not BadHttpRequestException)
            {
                // Kestrel's word for a chunk size that no number holds.
                throw new BadHttpRequestException("The request body can't be read.", StatusCodes.Status400BadRequest, exception);
            }

            if (!read.IsCompleted)
            {
                request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                continue;
            }

            // One contiguous copy: it outlives the pipe's buffers, and a document over a sequence would copy anyway.
            byte[] bytes = read.Buffer.ToArray();
            request.BodyReader.AdvanceTo(read.Buffer.End);
            return Parse(bytes, context.Features.Get<HadalServerOptions>()!.MaxJsonDepth);
        }
    }

    public static JsonDocument Parse(ReadOnlyMemory<byte> utf8, int maxDepth = 64)
    {
        if (utf8.Length == 0)
            throw ApiException.Invalid(null, "The request body is empty; a JSON object is expected.", "invalid_json");
        if (!Utf8.IsValid(utf8.Span))
            throw ApiException.Invalid(null, "The request body is not valid UTF-8.", "invalid_json");

        JsonDocument document;
        try
        {
            RefuseUnreadableStrings(utf8.Span, maxDepth);
            document = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = maxDepth, AllowDuplicateProperties = false });
        }
        catch (JsonException exception)
        {
            throw ApiException.Invalid(null, $"The request body is not a JSON document that can be read: {ApiException.Shorten(exception.Message)}{(exception.LineNumber is { } line ? $" (line {line + 1}, byte {exception.BytePositionInLine})" : "")}.", "invalid_json");
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            var kind = document.RootElement.ValueKind;
            document.Dispose();
            throw ApiException.Invalid(null, $"The request body is {JsonFields.Describe(kind)}; a JSON object is expected.", "invalid_json");
        }

        return document;
    }

    /// <summary>
    /// An escaped lone surrogate (<c>"\ud800"</c>) is JSON by its grammar but no text; System.Text.Json finds out only when the string is read,
    /// which would be deep inside a template.
    /// </summary>
    private static void RefuseUnreadableStrings(ReadOnlySpan<byte> utf8, int maxDepth)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = maxDepth });
        while (reader.Read())
        {
            if (!reader.ValueIsEscaped)
                continue;
            char[] buffer = ArrayPool<char>.Shared.Rent(reader.ValueSpan.Length);
            try
            {
                reader.CopyString(buffer);
            }
            catch (InvalidOperationException)
            {
                throw ApiException.Invalid(null, $"A string that ends at byte {reader.BytesConsumed} of the request body has half a surrogate pair (\\ud800 to \\udfff) in it; that is no text.", "invalid_json");
            }
            finally
            {
                ArrayPool<char>.Shared.Return(buffer);
            }
        }
    }
}
