using System.Text.Json;
using Hadal.Engine;
using Hadal.Formats.Tokenization;

namespace Hadal.Server.Generation;

/// <summary>Gathers the parallel arrays of a text completion's <c>logprobs</c> and writes those not written yet.</summary>
internal sealed class CompletionLogProbs(ITokenizer tokenizer, bool skipSpecialTokens)
{
    private readonly List<(int TokenId, TokenLogProb? LogProb, int Offset)> _entries = [];
    private int _offset;

    public int Count => _entries.Count;

    public void Add(int tokenId, TokenLogProb? logProb)
    {
        _entries.Add((tokenId, logProb, _offset));
        if (!(skipSpecialTokens && tokenizer.IsSpecial(tokenId)))
            _offset += TokenJson.CharsBegun(tokenizer.TokenBytes(tokenId).Span);
    }

    /// <summary>Writes <c>"logprobs": {…}</c> and forgets the entries; offsets go on.</summary>
    public void Flush(Utf8JsonWriter json)
    {
        json.WriteStartObject("logprobs"u8);
        json.WriteStartArray("tokens"u8);
        foreach (var entry in _entries)
            json.WriteStringValue(TokenJson.Key(tokenizer, entry.TokenId));
        json.WriteEndArray();

        json.WriteStartArray("token_logprobs"u8);
        foreach (var entry in _entries)
        {
            if (entry.LogProb is { } logProb)
                json.WriteNumberValue(TokenJson.Finite(logProb.LogProb));
            else
                json.WriteNullValue();
        }

        json.WriteEndArray();

        json.WriteStartArray("top_logprobs"u8);
        foreach (var entry in _entries)
            WriteTop(json, entry.LogProb);
        json.WriteEndArray();

        json.WriteStartArray("text_offset"u8);
        foreach (var entry in _entries)
            json.WriteNumberValue(entry.Offset);
        json.WriteEndArray();
        json.WriteEndObject();
        _entries.Clear();
    }

    private void WriteTop(Utf8JsonWriter json, TokenLogProb? logProb)
    {
        if (logProb is null)
        {
            json.WriteNullValue();
            return;
        }

        // The chosen token is always in the map, also when it is not among the most likely (as in the OpenAI API).
        // Different ids can spell the same text; the likelier one has the key.
        var written = new HashSet<string>(StringComparer.Ordinal);
        json.WriteStartObject();
        foreach (var (id, value) in logProb.Top)
        {
            string key = TokenJson.Key(tokenizer, id);
            if (written.Add(key))
                json.WriteNumber(key, TokenJson.Finite(value));
        }

        string chosen = TokenJson.Key(tokenizer, logProb.TokenId);
        if (written.Add(chosen))
            json.WriteNumber(chosen, TokenJson.Finite(logProb.LogProb));
        json.WriteEndObject();
    }
}
