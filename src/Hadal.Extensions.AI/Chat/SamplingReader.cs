using Hadal.Engine;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>How answers are sampled, from <see cref="ChatOptions"/> and, where they say nothing, from the model's generation_config.json.</summary>
internal static class SamplingReader
{
    private static readonly string[] s_known =
        ["min_p", "repetition_penalty", "min_tokens", "ignore_eos", "stop_token_ids", AnswerConstraint.MaxReasoningTokens, ChatPrompt.TemplateVariables];

    public static SamplingParams Read(ChatOptions? options, LanguageModel model, IChatClient client)
    {
        SamplingParams sampling = Base(options, model, client);
        if (options is null)
            return sampling;
        sampling = sampling with
        {
            Temperature = options.Temperature ?? sampling.Temperature,
            TopP = options.TopP ?? sampling.TopP,
            TopK = options.TopK ?? sampling.TopK,
            MaxTokens = options.MaxOutputTokens ?? sampling.MaxTokens,
            Stop = options.StopSequences is { Count: > 0 } stop ? [.. stop] : sampling.Stop,
            Seed = options.Seed is { } seed ? unchecked((ulong)seed) : sampling.Seed,
            FrequencyPenalty = options.FrequencyPenalty ?? sampling.FrequencyPenalty,
            PresencePenalty = options.PresencePenalty ?? sampling.PresencePenalty,
        };
        foreach (var (name, value) in options.AdditionalProperties ?? [])
        {
            sampling = name switch
            {
                "min_p" => sampling with { MinP = OptionNumbers.Single(name, value) },
                "repetition_penalty" => sampling with { RepetitionPenalty = OptionNumbers.Single(name, value) },
                "min_tokens" => sampling with { MinTokens = OptionNumbers.Int32(name, value) },
                "ignore_eos" => sampling with { IgnoreEos = OptionNumbers.Boolean(name, value) },
                "stop_token_ids" => sampling with { StopTokenIds = OptionNumbers.Int32s(name, value) },
                AnswerConstraint.MaxReasoningTokens or ChatPrompt.TemplateVariables => sampling,
                _ => throw new ArgumentException($"ChatOptions.AdditionalProperties has '{name}', which nothing here heeds; known are {string.Join(", ", s_known)}.", nameof(options)),
            };
        }

        return sampling;
    }

    private static SamplingParams Base(ChatOptions? options, LanguageModel model, IChatClient client) => options?.RawRepresentationFactory?.Invoke(client) switch
    {
        null => new SamplingParams
        {
            Temperature = model.Config.DefaultTemperature ?? 1f,
            TopP = model.Config.DefaultTopP ?? 1f,
            TopK = model.Config.DefaultTopK ?? 0,
        },
        SamplingParams { N: 1 } raw => raw,
        SamplingParams raw => throw new NotSupportedException($"SamplingParams.N is {raw.N}: a chat response is one answer. Ask several times at once instead; the prompt is computed once."),
        var other => throw new NotSupportedException($"ChatOptions.RawRepresentationFactory gave {other.GetType().FullName}; {typeof(SamplingParams).FullName} is what is understood here."),
    };
}
