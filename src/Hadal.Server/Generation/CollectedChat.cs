using System.Text;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Tokenization;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>A <c>chat.completion</c> object.</summary>
internal sealed class CollectedChat : ICollectedAnswer
{
    private readonly GenerationJob _job;
    private readonly UsageTotals _usage;
    private readonly Choice[] _choices;

    public CollectedChat(GenerationJob job, ChatRequest request)
    {
        _job = job;
        _usage = new UsageTotals(job);
        _choices = new Choice[job.NumChoices];
        for (int i = 0; i < _choices.Length; i++)
            _choices[i] = new Choice(new ChatChoice(request));
    }

    public void Add(in PromptEvent e)
    {
        var choice = _choices[_job.ChoiceOf(e)];
        var delta = choice.Text.Append(e.Event);
        choice.Reasoning.Append(delta.Reasoning);
        choice.Content.Append(delta.Content);
        foreach (ToolCallDelta call in choice.Text.Calls)
        {
            if (call.Name is not null)
                choice.Calls.Add((call.Id!, call.Name, new StringBuilder()));
            choice.Calls[call.Index].Arguments.Append(call.Arguments);
        }

        if (e.Event.LogProb is { } logProb)
            (choice.Text.LastIsReasoning ? choice.ReasoningLogProbs : choice.ContentLogProbs).Add(logProb);
        choice.FinishReason = e.Event.FinishReason ?? choice.FinishReason;
        _usage.Add(e);
    }

    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, _job.Id);
        json.WriteString("object"u8, "chat.completion"u8);
        json.WriteNumber("created"u8, _job.CreatedUnixSeconds);
        json.WriteString("model"u8, _job.Model.Id);
        json.WriteStartArray("choices"u8);
        for (int i = 0; i < _choices.Length; i++)
        {
            var choice = _choices[i];
            _usage.ReasoningTokens += choice.Text.ReasoningTokens;
            json.WriteStartObject();
            json.WriteNumber("index"u8, i);
            json.WriteStartObject("message"u8);
            json.WriteString("role"u8, "assistant"u8);
            if (choice.Reasoning.Length > 0)
                json.WriteString("reasoning_content"u8, choice.Reasoning.ToString());
            // A message that only calls tools says nothing.
            json.WriteString("content"u8, choice.Calls.Count > 0 && choice.Content.Length == 0 ? null : choice.Content.ToString());
            WriteCalls(json, choice);
            json.WriteNull("refusal"u8);
            json.WriteEndObject();
            WriteLogProbs(json, choice);
            json.WriteString("finish_reason"u8, choice.Text.FinishReasonName(choice.FinishReason ?? FinishReason.Stop));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        _usage.Write(json);
        json.WriteEndObject();
    }

    private static void WriteCalls(Utf8JsonWriter json, Choice choice)
    {
        if (choice.Calls.Count == 0)
            return;
        json.WriteStartArray("tool_calls"u8);
        foreach ((string id, string name, StringBuilder arguments) in choice.Calls)
        {
            json.WriteStartObject();
            json.WriteString("id"u8, id);
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, name);
            json.WriteString("arguments"u8, arguments.ToString());
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private void WriteLogProbs(Utf8JsonWriter json, Choice choice)
    {
        if (_job.Sampling.LogProbs is null)
        {
            json.WriteNull("logprobs"u8);
            return;
        }

        json.WriteStartObject("logprobs"u8);
        WriteEntries(json, "content"u8, choice.ContentLogProbs);
        if (choice.ReasoningLogProbs.Count > 0)
            WriteEntries(json, "reasoning_content"u8, choice.ReasoningLogProbs);
        json.WriteNull("refusal"u8);
        json.WriteEndObject();
    }

    private void WriteEntries(Utf8JsonWriter json, ReadOnlySpan<byte> name, List<TokenLogProb> entries)
    {
        ITokenizer tokenizer = _job.Model.Tokenizer;
        json.WriteStartArray(name);
        foreach (var entry in entries)
            TokenJson.WriteChatEntry(json, tokenizer, entry);
        json.WriteEndArray();
    }

    private sealed class Choice(ChatChoice text)
    {
        public ChatChoice Text { get; } = text;

        public StringBuilder Reasoning { get; } = new();

        public StringBuilder Content { get; } = new();

        public List<(string Id, string Name, StringBuilder Arguments)> Calls { get; } = [];

        public List<TokenLogProb> ContentLogProbs { get; } = [];

        public List<TokenLogProb> ReasoningLogProbs { get; } = [];

        public FinishReason? FinishReason { get; set; }
    }
}
