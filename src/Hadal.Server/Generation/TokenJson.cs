using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using Hadal.Engine;
using Hadal.Formats.Tokenization;

namespace Hadal.Server.Generation;

/// <summary>Tokens and their log-probabilities in the API's two shapes.</summary>
internal static class TokenJson
{
    // JSON has no infinity; the OpenAI API writes this for a token that can't be.
    private const float Impossible = -9999f;

    public static string FinishReasonName(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";

    /// <summary>An entry of a chat answer's <c>logprobs.content</c>.</summary>
    public static void WriteChatEntry(Utf8JsonWriter json, ITokenizer tokenizer, TokenLogProb logProb)
    {
        json.WriteStartObject();
        WriteChatToken(json, tokenizer, logProb.TokenId, logProb.LogProb);
        json.WriteStartArray("top_logprobs"u8);
        foreach (var (id, value) in logProb.Top)
        {
            json.WriteStartObject();
            WriteChatToken(json, tokenizer, id, value);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    public static float Finite(float logProb) => float.IsFinite(logProb) ? logProb : Impossible;

    /// <summary>
    /// A token as a key of a text completion's <c>top_logprobs</c>. Part of a character is written <c>bytes:\xe2\x82</c>, as the OpenAI API did:
    /// as U+FFFD, two such tokens would be one key.
    /// </summary>
    public static string Key(ITokenizer tokenizer, int id)
    {
        var bytes = tokenizer.TokenBytes(id).Span;
        if (Utf8.IsValid(bytes))
            return Encoding.UTF8.GetString(bytes);
        var key = new StringBuilder("bytes:", 6 + bytes.Length * 4);
        foreach (byte b in bytes)
            key.Append(CultureInfo.InvariantCulture, $"\\x{b:x2}");
        return key.ToString();
    }

    /// <summary>Characters (code points) that begin within the token: these sum up to text_offset, also where tokens cut through characters.</summary>
    public static int CharsBegun(ReadOnlySpan<byte> utf8)
    {
        int count = 0;
        foreach (byte b in utf8)
            count += (b & 0xC0) != 0x80 ? 1 : 0;
        return count;
    }

    private static void WriteChatToken(Utf8JsonWriter json, ITokenizer tokenizer, int id, float logProb)
    {
        var bytes = tokenizer.TokenBytes(id).Span;
        json.WriteString("token"u8, Encoding.UTF8.GetString(bytes));
        json.WriteNumber("logprob"u8, Finite(logProb));
        json.WriteStartArray("bytes"u8);
        foreach (byte b in bytes)
            json.WriteNumberValue(b);
        json.WriteEndArray();
    }
}
