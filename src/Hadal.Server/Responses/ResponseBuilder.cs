using System.Buffers;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Server.Generation;
using Hadal.Server.Http;

namespace Hadal.Server.Responses;

/// <summary>A <c>response</c> object, at any time of its making.</summary>
internal sealed class ResponseBuilder(GenerationJob job, ResponsesRequest request)
{
    // Given back as they came, with what stands for them where they did not.
    private static readonly (string Name, string Default)[] s_echoed =
    [
        ("instructions", "null"), ("max_output_tokens", "null"), ("max_tool_calls", "null"), ("metadata", "{}"), ("parallel_tool_calls", "true"), ("temperature", "null"), ("tool_choice", "\"auto\""),
        ("tools", "[]"), ("top_p", "null"), ("user", "null"),
    ];

    private readonly ChatChoice _text = new(request.Chat);
    private TokenUsage? _usage;

    public ResponsesRequest Request => request;

    public ResponseOutput Output { get; } = new();

    public FinishReason? Finish { get; private set; }

    /// <summary>The next text, parted; <see cref="ResponseOutput"/> is the caller's to write.</summary>
    public TextDelta Append(in PromptEvent e)
    {
        _usage = e.Event.Usage;
        Finish = e.Event.FinishReason ?? Finish;
        return _text.Append(e.Event);
    }

    /// <summary>Pieces of calls that came with the text last appended.</summary>
    public IReadOnlyList<ToolCallDelta> Calls => _text.Calls;

    public string Status => Finish switch { null => "in_progress", FinishReason.Length => "incomplete", _ => "completed" };

    /// <param name="json">Where to.</param>
    /// <param name="failure">What went wrong, of a response that failed.</param>
    public void Write(Utf8JsonWriter json, ApiException? failure = null)
    {
        string status = failure is null ? Status : "failed";
        json.WriteStartObject();
        json.WriteString("id"u8, job.Id);
        json.WriteString("object"u8, "response"u8);
        json.WriteNumber("created_at"u8, job.CreatedUnixSeconds);
        json.WriteString("status"u8, status);
        json.WriteBoolean("background"u8, false);
        if (failure is null)
        {
            json.WriteNull("error"u8);
        }
        else
        {
            json.WriteStartObject("error"u8);
            json.WriteString("code"u8, failure.Code ?? "server_error");
            json.WriteString("message"u8, failure.Message);
            json.WriteEndObject();
        }

        if (status == "incomplete")
        {
            json.WriteStartObject("incomplete_details"u8);
            json.WriteString("reason"u8, "max_output_tokens"u8);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("incomplete_details"u8);
        }

        json.WriteString("model"u8, job.Model.Id);
        json.WriteStartArray("output"u8);
        if (status is "completed" or "incomplete")
        {
            for (int i = 0; i < Output.Items.Count; i++)
                Output.Items[i].Write(json, i == Output.Items.Count - 1 ? status : "completed");
        }

        json.WriteEndArray();
        foreach (var (name, absent) in s_echoed)
        {
            json.WritePropertyName(name);
            if (request.Echo.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null)
                value.WriteTo(json);
            else
                json.WriteRawValue(absent);
        }

        json.WriteString("previous_response_id"u8, request.PreviousResponseId);
        WriteReasoning(json);
        json.WriteBoolean("store"u8, request.Store);
        WriteText(json);
        json.WriteString("truncation"u8, "disabled"u8);
        WriteUsage(json, status);
        json.WriteEndObject();
    }

    /// <summary>For the store.</summary>
    public byte[] ToBytes()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, JsonOutput.WriterOptions))
            Write(json);
        return buffer.WrittenSpan.ToArray();
    }

    private void WriteReasoning(Utf8JsonWriter json)
    {
        json.WriteStartObject("reasoning"u8);
        json.WritePropertyName("effort"u8);
        if (request.Echo.TryGetProperty("reasoning", out var reasoning) && reasoning.ValueKind == JsonValueKind.Object && reasoning.TryGetProperty("effort", out var effort))
            effort.WriteTo(json);
        else
            json.WriteNullValue();
        json.WriteNull("summary"u8);
        json.WriteEndObject();
    }

    private void WriteText(Utf8JsonWriter json)
    {
        json.WriteStartObject("text"u8);
        json.WritePropertyName("format"u8);
        if (request.Echo.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.Object && text.TryGetProperty("format", out var format) && format.ValueKind == JsonValueKind.Object)
            format.WriteTo(json);
        else
            json.WriteRawValue("{\"type\":\"text\"}"u8);
        json.WriteEndObject();
    }

    private void WriteUsage(Utf8JsonWriter json, string status)
    {
        if (_usage is not { } usage || status == "in_progress")
        {
            json.WriteNull("usage"u8);
            return;
        }

        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, usage.PromptTokens);
        json.WriteStartObject("input_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, usage.CachedTokens);
        json.WriteEndObject();
        json.WriteNumber("output_tokens"u8, usage.CompletionTokens);
        json.WriteStartObject("output_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, _text.ReasoningTokens);
        json.WriteEndObject();
        json.WriteNumber("total_tokens"u8, usage.PromptTokens + usage.CompletionTokens);
        json.WriteEndObject();
    }
}
