using System.Text.Json;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

internal readonly record struct StreamOptions(bool Stream, bool IncludeUsage)
{
    public static StreamOptions Read(JsonFields body)
    {
        bool stream = body.Bool("stream") ?? false;
        if (!body.TryGet("stream_options", JsonValueKind.Object, out var value))
            return new StreamOptions(stream, IncludeUsage: false);
        if (!stream)
            throw ApiException.Invalid("stream_options", "'stream_options' is only allowed together with 'stream': true.", "invalid_value");
        var fields = new JsonFields(value, "stream_options.");
        if (fields.Bool("include_obfuscation") ?? false)
            throw ApiException.NotSupported("stream_options.include_obfuscation", "'stream_options.include_obfuscation' can only be false: no padding is added here. Where the sizes of events must not be seen, use a proxy that pads.");
        return new StreamOptions(stream, fields.Bool("include_usage") ?? false);
    }
}
