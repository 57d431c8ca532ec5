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
        return new StreamOptions(stream, new JsonFields(value, "stream_options.").Bool("include_usage") ?? false);
    }
}
