using System.Text.Json;
using Hadal.Formats.Chat.Tools;
using Hadal.Server.Http;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>A row of <c>chat.completion.chunk</c> objects.</summary>
internal sealed class StreamedChat : IStreamedAnswer
{
    private readonly GenerationJob _job;
    private readonly ChatRequest _request;
    private readonly SseWriter _sse;
    private readonly JsonEncodedText _id;
    private readonly JsonEncodedText _model;
    private readonly UsageTotals _usage;
    private readonly ChatChoice[] _choices;

    public StreamedChat(GenerationJob job, ChatRequest request, SseWriter sse)
    {
        _job = job;
        _request = request;
        _sse = sse;
        _id = JsonOutput.Encode(job.Id);
        _model = JsonOutput.Encode(job.Model.Id);
        _usage = new UsageTotals(job);
        _choices = new ChatChoice[job.NumChoices];
        for (int i = 0; i < _choices.Length; i++)
            _choices[i] = new ChatChoice(request);
    }

    public void Begin()
    {
        for (int i = 0; i < _choices.Length; i++)
        {
            var json = BeginChoice(i);
            json.WriteString("role"u8, "assistant"u8);
            json.WriteString("content"u8, ""u8);
            EndChoice(json, default, finishReason: null);
        }
    }

    public void Write(in PromptEvent e)
    {
        int index = _job.ChoiceOf(e);
        var choice = _choices[index];
        var delta = choice.Append(e.Event);
        _usage.Add(e);

        // The token that closes the thinking may bring the last of it and the first of the content at once.
        // Clients read a chunk as either, so each has its own; the log-probability goes with the side the token is of.
        bool hasLogProb = e.Event.LogProb is not null;
        bool logProbWithReasoning = hasLogProb && choice.LastIsReasoning;
        if (delta.Reasoning.Length > 0 || logProbWithReasoning)
            WriteText(index, "reasoning_content"u8, delta.Reasoning, e, withLogProb: logProbWithReasoning);
        bool logProbWithContent = hasLogProb && !choice.LastIsReasoning;
        if (delta.Content.Length > 0 || logProbWithContent)
            WriteText(index, "content"u8, delta.Content, e, withLogProb: logProbWithContent);

        foreach (ToolCallDelta call in choice.Calls)
            WriteCall(index, call);

        if (e.Event.FinishReason is { } reason)
            EndChoice(BeginChoice(index), default, choice.FinishReasonName(reason));
    }

    public void Fail(ApiException error) => _sse.Error(error);

    public void End()
    {
        if (!_request.Streaming.IncludeUsage)
            return;
        foreach (var choice in _choices)
            _usage.ReasoningTokens += choice.ReasoningTokens;
        var json = BeginChunk();
        json.WriteStartArray("choices"u8);
        json.WriteEndArray();
        _usage.Write(json);
        json.WriteEndObject();
        _sse.EndData();
    }

    private void WriteText(int index, ReadOnlySpan<byte> name, string text, in PromptEvent e, bool withLogProb)
    {
        var json = BeginChoice(index);
        json.WriteString(name, text);
        EndChoice(json, withLogProb ? e : default, finishReason: null, name);
    }

    private void WriteCall(int index, in ToolCallDelta call)
    {
        var json = BeginChoice(index);
        json.WriteStartArray("tool_calls"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, call.Index);
        if (call.Name is not null)
        {
            json.WriteString("id"u8, call.Id);
            json.WriteString("type"u8, "function"u8);
        }

        json.WriteStartObject("function"u8);
        if (call.Name is not null)
            json.WriteString("name"u8, call.Name);
        json.WriteString("arguments"u8, call.Arguments);
        json.WriteEndObject();
        json.WriteEndObject();
        json.WriteEndArray();
        EndChoice(json, default, finishReason: null);
    }

    private Utf8JsonWriter BeginChunk()
    {
        var json = _sse.BeginData();
        json.WriteStartObject();
        json.WriteString("id"u8, _id);
        json.WriteString("object"u8, "chat.completion.chunk"u8);
        json.WriteNumber("created"u8, _job.CreatedUnixSeconds);
        json.WriteString("model"u8, _model);
        return json;
    }

    private Utf8JsonWriter BeginChoice(int index)
    {
        var json = BeginChunk();
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        json.WriteStartObject("delta"u8);
        return json;
    }

    private void EndChoice(Utf8JsonWriter json, in PromptEvent logProbOf, string? finishReason, ReadOnlySpan<byte> logProbName = default)
    {
        json.WriteEndObject();
        if (logProbOf.Event?.LogProb is { } logProb)
        {
            json.WriteStartObject("logprobs"u8);
            json.WriteStartArray(logProbName);
            TokenJson.WriteChatEntry(json, _job.Model.Tokenizer, logProb);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("logprobs"u8);
        }

        json.WriteString("finish_reason"u8, finishReason);
        json.WriteEndObject();
        json.WriteEndArray();
        if (_request.Streaming.IncludeUsage)
            json.WriteNull("usage"u8);
        json.WriteEndObject();
        _sse.EndData();
    }
}
