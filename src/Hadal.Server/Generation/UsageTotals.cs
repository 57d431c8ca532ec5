using System.Text.Json;
using Hadal.Engine;

namespace Hadal.Server.Generation;

/// <summary>Sums the usage of a job's choices.</summary>
internal sealed class UsageTotals(GenerationJob job, bool promptOnly = false)
{
    private readonly TokenUsage?[] _byChoice = new TokenUsage?[job.NumChoices];

    public int ReasoningTokens { get; set; }

    public void Add(in PromptEvent e) => _byChoice[job.ChoiceOf(e)] = e.Event.Usage;

    public void Write(Utf8JsonWriter json)
    {
        int promptTokens = 0, cachedTokens = 0, completionTokens = 0, accepted = 0, rejected = 0;
        for (int prompt = 0; prompt < job.Prompts.Count; prompt++)
        {
            promptTokens += job.Prompts[prompt].Length;

            // The choices of a prompt share it, and all but the first find it in the cache: what the least lucky one found was there before.
            int cached = int.MaxValue;
            for (int n = 0; n < job.Sampling.N; n++)
            {
                if (_byChoice[prompt * job.Sampling.N + n] is { } usage)
                {
                    cached = Math.Min(cached, usage.CachedTokens);
                    completionTokens += promptOnly ? 0 : usage.CompletionTokens;
                    accepted += promptOnly ? 0 : usage.AcceptedPredictionTokens;
                    rejected += promptOnly ? 0 : usage.RejectedPredictionTokens;
                }
            }

            cachedTokens += cached == int.MaxValue ? 0 : cached;
        }

        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, promptTokens);
        json.WriteNumber("completion_tokens"u8, completionTokens);
        json.WriteNumber("total_tokens"u8, promptTokens + completionTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, cachedTokens);
        json.WriteEndObject();

        // DeepSeek's own names for the same.
        json.WriteNumber("prompt_cache_hit_tokens"u8, cachedTokens);
        json.WriteNumber("prompt_cache_miss_tokens"u8, promptTokens - cachedTokens);
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, ReasoningTokens);
        if (accepted + rejected > 0)
        {
            json.WriteNumber("accepted_prediction_tokens"u8, accepted);
            json.WriteNumber("rejected_prediction_tokens"u8, rejected);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }
}
