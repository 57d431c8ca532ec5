using System.Text.Json;

namespace Hadal.Cli.Bench.Serving;

/// <summary>What a chunk of a chat or text completion holds of interest here, read without building a document.</summary>
internal ref struct ChunkReader
{
    /// <summary>It brings some of the answer: text, thinking, or part of a tool call.</summary>
    public bool HasText { get; private set; }

    public string? FinishReason { get; private set; }

    public bool HasUsage { get; private set; }

    public int PromptTokens { get; private set; }

    public int CachedTokens { get; private set; }

    public int OutputTokens { get; private set; }

    /// <summary>It is an error instead: the server's code, type or message.</summary>
    public string? Error { get; private set; }

    /// <exception cref="JsonException">It is no JSON object.</exception>
    public static ChunkReader Read(ReadOnlySpan<byte> utf8)
    {
        var chunk = new ChunkReader();
        var json = new Utf8JsonReader(utf8);
        json.Read();
        if (json.TokenType != JsonTokenType.StartObject)
        {
            throw new JsonException("an object is expected");
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            if (json.ValueTextEquals("choices"u8))
            {
                json.Read();
                chunk.ReadChoices(ref json);
            }
            else if (json.ValueTextEquals("usage"u8))
            {
                json.Read();
                chunk.ReadUsage(ref json);
            }
            else if (json.ValueTextEquals("error"u8))
            {
                json.Read();
                chunk.ReadError(ref json);
            }
            else
            {
                json.Read();
                json.Skip();
            }
        }

        // Whatever stands behind the object is an error too.
        while (json.Read())
        {
        }

        return chunk;
    }

    private void ReadChoices(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartArray)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.StartObject)
        {
            while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
            {
                if (json.ValueTextEquals("delta"u8) || json.ValueTextEquals("message"u8))
                {
                    json.Read();
                    ReadDelta(ref json);
                }
                else if (json.ValueTextEquals("text"u8))
                {
                    json.Read();
                    HasText |= IsText(json);
                    json.Skip();
                }
                else if (json.ValueTextEquals("finish_reason"u8))
                {
                    json.Read();
                    FinishReason = json.TokenType == JsonTokenType.String ? json.GetString() : FinishReason;
                    json.Skip();
                }
                else
                {
                    json.Read();
                    json.Skip();
                }
            }
        }
    }

    private void ReadDelta(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            // 'reasoning' is what some servers call DeepSeek's 'reasoning_content'.
            bool isText = json.ValueTextEquals("content"u8) || json.ValueTextEquals("reasoning_content"u8) || json.ValueTextEquals("reasoning"u8);
            bool isCalls = json.ValueTextEquals("tool_calls"u8);
            json.Read();
            HasText |= isText && IsText(json) || isCalls && json.TokenType == JsonTokenType.StartArray;
            json.Skip();
        }
    }

    private void ReadUsage(ref Utf8JsonReader json)
    {
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        HasUsage = true;
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool isPrompt = json.ValueTextEquals("prompt_tokens"u8), isOutput = json.ValueTextEquals("completion_tokens"u8), isDetails = json.ValueTextEquals("prompt_tokens_details"u8);
            json.Read();
            if (isDetails && json.TokenType == JsonTokenType.StartObject)
            {
                while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
                {
                    bool isCached = json.ValueTextEquals("cached_tokens"u8);
                    json.Read();
                    CachedTokens = isCached && Number(json) is { } cached ? cached : CachedTokens;
                    json.Skip();
                }

                continue;
            }

            PromptTokens = isPrompt && Number(json) is { } prompt ? prompt : PromptTokens;
            OutputTokens = isOutput && Number(json) is { } output ? output : OutputTokens;
            json.Skip();
        }
    }

    private void ReadError(ref Utf8JsonReader json)
    {
        if (json.TokenType is JsonTokenType.Null)
        {
            return;
        }

        Error = "error";
        if (json.TokenType == JsonTokenType.String)
        {
            Error = json.GetString();
            return;
        }

        string? code = null, type = null;
        if (json.TokenType != JsonTokenType.StartObject)
        {
            json.Skip();
            return;
        }

        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            bool isCode = json.ValueTextEquals("code"u8), isType = json.ValueTextEquals("type"u8);
            json.Read();
            if (json.TokenType == JsonTokenType.String)
            {
                code = isCode ? json.GetString() : code;
                type = isType ? json.GetString() : type;
            }

            json.Skip();
        }

        Error = code ?? type ?? Error;
    }

    private static bool IsText(Utf8JsonReader json) => json.TokenType == JsonTokenType.String && !json.ValueSpan.IsEmpty;

    private static int? Number(Utf8JsonReader json) => json.TokenType == JsonTokenType.Number && json.TryGetInt32(out int n) ? n : null;
}
