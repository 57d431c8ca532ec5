using System.Text.Json;
using Hadal.Server.Http;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>A row of <c>text_completion</c> objects.</summary>
internal sealed class StreamedCompletion : IStreamedAnswer
{
    private readonly GenerationJob _job;
    private readonly CompletionRequest _request;
    private readonly SseWriter _sse;
    private readonly JsonEncodedText _id;
    private readonly JsonEncodedText _model;
    private readonly CompletionChoices _choices;
    private readonly UsageTotals _usage;

    public StreamedCompletion(GenerationJob job, CompletionRequest request, SseWriter sse)
    {
        _job = job;
        _request = request;
        _sse = sse;
        _id = JsonOutput.Encode(job.Id);
        _model = JsonOutput.Encode(job.Model.Id);
        _choices = new CompletionChoices(job, request);
        _usage = new UsageTotals(job, request.PromptOnly);
    }

    public void Begin()
    {
        // Text completions have no role to announce.
    }

    public void Write(in PromptEvent e)
    {
        int index = _job.ChoiceOf(e);
        string text = _choices.Append(e);
        _usage.Add(e);
        var logProbs = _choices[index].LogProbs;
        if (text.Length == 0 && e.Event.FinishReason is null && logProbs is not { Count: > 0 })
            return;

        var json = BeginChunk();
        json.WriteStartArray("choices"u8);
        json.WriteStartObject();
        json.WriteNumber("index"u8, index);
        json.WriteString("text"u8, text);
        if (logProbs is { Count: > 0 })
            logProbs.Flush(json);
        else
            json.WriteNull("logprobs"u8);
        json.WriteString("finish_reason"u8, e.Event.FinishReason is { } reason ? TokenJson.FinishReasonName(reason) : null);
        json.WriteEndObject();
        json.WriteEndArray();
        if (_request.Streaming.IncludeUsage)
            json.WriteNull("usage"u8);
        json.WriteEndObject();
        _sse.EndData();
    }

    public void Fail(ApiException error) => _sse.Error(error);

    public void End()
    {
        if (!_request.Streaming.IncludeUsage)
            return;
        var json = BeginChunk();
        json.WriteStartArray("choices"u8);
        json.WriteEndArray();
        _usage.Write(json);
        json.WriteEndObject();
        _sse.EndData();
    }

    private Utf8JsonWriter BeginChunk()
    {
        var json = _sse.BeginData();
        json.WriteStartObject();
        json.WriteString("id"u8, _id);
        json.WriteString("object"u8, "text_completion"u8);
        json.WriteNumber("created"u8, _job.CreatedUnixSeconds);
        json.WriteString("model"u8, _model);
        return json;
    }
}
