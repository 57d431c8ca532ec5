using System.Text.Json;
using Hadal.Formats.Chat.Tools;
using Hadal.Server.Generation;
using Hadal.Server.Http;

namespace Hadal.Server.Responses;

/// <summary>The events of a response that is streamed, each with its number: <c>response.created</c> first, <c>response.completed</c> last.</summary>
internal sealed class StreamedResponse(ResponseBuilder response, SseWriter sse, Action<ResponseBuilder> whenWhole) : IStreamedAnswer
{
    private int _sequenceNumber;

    // The last event says that it is over.
    public bool EndsWithDone => false;

    public void Begin()
    {
        WriteResponse("response.created"u8);
        WriteResponse("response.in_progress"u8);
    }

    public void Write(in PromptEvent e)
    {
        var delta = response.Append(e);
        Add(ResponseItemKind.Reasoning, delta.Reasoning);
        Add(ResponseItemKind.Message, delta.Content);
        foreach (ToolCallDelta call in response.Calls)
            Add(call);
    }

    public void End()
    {
        EndItem(response.Status);
        whenWhole(response);
        WriteResponse(response.Status == "incomplete" ? "response.incomplete"u8 : "response.completed"u8);
    }

    public void Fail(ApiException error)
    {
        var json = BeginEvent("response.failed"u8);
        json.WritePropertyName("response"u8);
        response.Write(json, error);
        EndEvent(json);
    }

    private void Add(ResponseItemKind kind, string text)
    {
        if (text.Length == 0)
            return;
        if (response.Output.Open is { } open && open.Kind != kind)
            EndItem("completed");
        var item = response.Output.Open ?? BeginItem(new ResponseItem(kind));
        item.Text.Append(text);
        var json = BeginItemEvent(kind == ResponseItemKind.Reasoning ? "response.reasoning_text.delta"u8 : "response.output_text.delta"u8, item);
        json.WriteNumber("content_index"u8, 0);
        json.WriteString("delta"u8, text);
        WriteNoLogProbs(json, kind);
        EndEvent(json);
    }

    private void Add(in ToolCallDelta call)
    {
        if (call.Name is not null)
        {
            EndItem("completed");
            BeginItem(new ResponseItem(ResponseItemKind.FunctionCall, call.Id, call.Name));
        }

        if (call.Arguments.Length == 0 || response.Output.Open is not { } item)
            return;
        item.Text.Append(call.Arguments);
        var json = BeginItemEvent("response.function_call_arguments.delta"u8, item);
        json.WriteString("delta"u8, call.Arguments);
        EndEvent(json);
    }

    private ResponseItem BeginItem(ResponseItem item)
    {
        response.Output.Begin(item);
        var json = BeginEvent("response.output_item.added"u8);
        json.WriteNumber("output_index"u8, response.Output.Items.Count - 1);
        json.WritePropertyName("item"u8);
        item.Write(json, "in_progress");
        EndEvent(json);
        if (item.Kind != ResponseItemKind.FunctionCall)
            WritePart("response.content_part.added"u8, item, "");
        return item;
    }

    private void EndItem(string status)
    {
        if (response.Output.Open is not { } item)
            return;
        string text = item.Text.ToString();
        var json = BeginItemEvent(
            item.Kind switch
            {
                ResponseItemKind.Reasoning => "response.reasoning_text.done"u8,
                ResponseItemKind.Message => "response.output_text.done"u8,
                _ => "response.function_call_arguments.done"u8,
            },
            item);
        if (item.Kind == ResponseItemKind.FunctionCall)
        {
            json.WriteString("name"u8, item.Name);
            json.WriteString("arguments"u8, text);
        }
        else
        {
            json.WriteNumber("content_index"u8, 0);
            json.WriteString("text"u8, text);
            WriteNoLogProbs(json, item.Kind);
        }

        EndEvent(json);
        if (item.Kind != ResponseItemKind.FunctionCall)
            WritePart("response.content_part.done"u8, item, text);
        json = BeginEvent("response.output_item.done"u8);
        json.WriteNumber("output_index"u8, response.Output.Items.Count - 1);
        json.WritePropertyName("item"u8);
        item.Write(json, status);
        EndEvent(json);
        response.Output.End();
    }

    private void WritePart(ReadOnlySpan<byte> type, ResponseItem item, string text)
    {
        var json = BeginItemEvent(type, item);
        json.WriteNumber("content_index"u8, 0);
        json.WritePropertyName("part"u8);
        item.WritePart(json, text);
        EndEvent(json);
    }

    private void WriteResponse(ReadOnlySpan<byte> type)
    {
        var json = BeginEvent(type);
        json.WritePropertyName("response"u8);
        response.Write(json);
        EndEvent(json);
    }

    private Utf8JsonWriter BeginItemEvent(ReadOnlySpan<byte> type, ResponseItem item)
    {
        var json = BeginEvent(type);
        json.WriteString("item_id"u8, item.Id);
        json.WriteNumber("output_index"u8, response.Output.Items.Count - 1);
        return json;
    }

    private static void WriteNoLogProbs(Utf8JsonWriter json, ResponseItemKind kind)
    {
        if (kind != ResponseItemKind.Message)
            return;
        json.WriteStartArray("logprobs"u8);
        json.WriteEndArray();
    }

    private Utf8JsonWriter BeginEvent(ReadOnlySpan<byte> type)
    {
        var json = sse.BeginEvent(type);
        json.WriteStartObject();
        json.WriteString("type"u8, type);
        json.WriteNumber("sequence_number"u8, _sequenceNumber++);
        return json;
    }

    private void EndEvent(Utf8JsonWriter json)
    {
        json.WriteEndObject();
        sse.EndData();
    }
}
