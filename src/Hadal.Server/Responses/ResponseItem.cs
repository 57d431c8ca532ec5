using System.Text;
using System.Text.Json;

namespace Hadal.Server.Responses;

/// <summary>One item of a response's <c>output</c>.</summary>
internal sealed class ResponseItem(ResponseItemKind kind, string? callId = null, string? name = null)
{
    public ResponseItemKind Kind { get; } = kind;

    public string Id { get; } = kind switch
    {
        ResponseItemKind.Reasoning => $"rs_{Guid.NewGuid():N}",
        ResponseItemKind.Message => $"msg_{Guid.NewGuid():N}",
        _ => $"fc_{Guid.NewGuid():N}",
    };

    /// <summary>The text, the thinking, or the arguments.</summary>
    public StringBuilder Text { get; } = new();

    /// <summary>Of a call.</summary>
    public string? CallId { get; } = callId;

    public string? Name { get; } = name;

    /// <param name="json">Where to.</param>
    /// <param name="status">in_progress (nothing of the text is written then), completed or incomplete.</param>
    public void Write(Utf8JsonWriter json, string status)
    {
        bool isBegun = status == "in_progress";
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteString("status"u8, status);
        switch (Kind)
        {
            case ResponseItemKind.Reasoning:
                json.WriteString("type"u8, "reasoning"u8);
                json.WriteStartArray("summary"u8);
                json.WriteEndArray();
                json.WriteStartArray("content"u8);
                if (!isBegun)
                    WritePart(json, Text.ToString());
                json.WriteEndArray();
                break;
            case ResponseItemKind.Message:
                json.WriteString("type"u8, "message"u8);
                json.WriteString("role"u8, "assistant"u8);
                json.WriteStartArray("content"u8);
                if (!isBegun)
                    WritePart(json, Text.ToString());
                json.WriteEndArray();
                break;
            case ResponseItemKind.FunctionCall:
                json.WriteString("type"u8, "function_call"u8);
                json.WriteString("call_id"u8, CallId);
                json.WriteString("name"u8, Name);
                json.WriteString("arguments"u8, isBegun ? "" : Text.ToString());
                break;
        }

        json.WriteEndObject();
    }

    public void WritePart(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, Kind == ResponseItemKind.Reasoning ? "reasoning_text"u8 : "output_text"u8);
        json.WriteString("text"u8, text);
        if (Kind == ResponseItemKind.Message)
        {
            json.WriteStartArray("annotations"u8);
            json.WriteEndArray();
            json.WriteStartArray("logprobs"u8);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }
}
