using System.Text.Encodings.Web;
using System.Text.Json;

namespace Hadal.Server.Http;

internal static class JsonOutput
{
    /// <summary>
    /// Bodies go out as application/json or inside SSE data, never into HTML, so only what JSON itself demands is escaped:
    /// the default encoder would turn every letter outside ASCII into six bytes.
    /// </summary>
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    public static readonly JsonWriterOptions WriterOptions = new() { Encoder = Encoder, Indented = false, SkipValidation = true };

    public static JsonEncodedText Encode(string text) => JsonEncodedText.Encode(text, Encoder);
}
