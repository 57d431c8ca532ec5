using System.Text;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>A <c>text_completion</c> object.</summary>
internal sealed class CollectedCompletion : ICollectedAnswer
{
    private readonly GenerationJob _job;
    private readonly CompletionChoices _choices;
    private readonly StringBuilder[] _texts;
    private readonly UsageTotals _usage;

    public CollectedCompletion(GenerationJob job, CompletionRequest request)
    {
        _job = job;
        _choices = new CompletionChoices(job, request);
        _usage = new UsageTotals(job, request.PromptOnly);
        _texts = new StringBuilder[job.NumChoices];
        for (int i = 0; i < _texts.Length; i++)
            _texts[i] = new StringBuilder();
    }

    public void Add(in PromptEvent e)
    {
        _texts[_job.ChoiceOf(e)].Append(_choices.Append(e));
        _usage.Add(e);
    }

    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, _job.Id);
        json.WriteString("object"u8, "text_completion"u8);
        json.WriteNumber("created"u8, _job.CreatedUnixSeconds);
        json.WriteString("model"u8, _job.Model.Id);
        json.WriteStartArray("choices"u8);
        for (int i = 0; i < _choices.Count; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("index"u8, i);
            json.WriteString("text"u8, _texts[i].ToString());
            if (_choices[i].LogProbs is { } logProbs)
                logProbs.Flush(json);
            else
                json.WriteNull("logprobs"u8);
            json.WriteString("finish_reason"u8, TokenJson.FinishReasonName(_choices[i].FinishReason ?? FinishReason.Stop));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        _usage.Write(json);
        json.WriteEndObject();
    }
}
