using System.Text.Json.Nodes;
using Hadal.Engine;
using Hadal.Engine.Constraints;
using Hadal.Formats.Chat.Reasoning;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>What an answer is held to: its form, the calls it must make, and how long the model may think before.</summary>
internal static class AnswerConstraint
{
    /// <summary>The key of <c>AdditionalProperties</c> for the tokens of thinking at the most.</summary>
    public const string MaxReasoningTokens = "max_reasoning_tokens";

    // Those that the server takes for reasoning_effort.
    private const int Low = 1024, Medium = 4096;

    /// <exception cref="ArgumentException">A schema cannot be enforced.</exception>
    public static Func<ITokenConstraint>? Create(ChatOptions? options, LanguageModel model, ToolSettings? tools, ReasoningStart? start)
    {
        Grammar? grammar;
        try
        {
            grammar = Grammar(options, model, tools);
        }
        catch (GrammarException e)
        {
            throw new ArgumentException($"ChatOptions.{(tools is null ? "ResponseFormat" : "Tools")} cannot be enforced. {e.Message}", nameof(options), e);
        }

        int? budget = Budget(options);
        bool isInside = start is ReasoningStart.BehindOpen or ReasoningStart.AmidReasoning;
        if (!isInside && start != ReasoningStart.Undecided || grammar is null && budget is null)
            return grammar is null ? null : grammar.CreateConstraint;
        ReasoningMarkers markers = model.ReasoningMarkers!;
        if (!model.Tokenizer.TryGetId(markers.Close, out int close))
            throw new NotSupportedException($"'{markers.Close}' is no token of '{model.Id}', so that the end of its thinking cannot be seen in time for ResponseFormat, a required call, or a limit of thinking.");
        int open = model.Tokenizer.TryGetId(markers.Open, out int id) ? id : close;
        TokenVocabulary vocabulary = model.Grammars.Vocabulary;
        return () => new ReasoningConstraint(vocabulary, open, close, isInside, grammar?.CreateConstraint(), budget);
    }

    private static Grammar? Grammar(ChatOptions? options, LanguageModel model, ToolSettings? tools)
    {
        if (tools is { IsRequired: true })
            return model.Grammars.ToolCalls(tools.Format, tools.Callable, tools.AllowsSeveral);
        switch (options?.ResponseFormat)
        {
            case null or ChatResponseFormatText:
                return null;
            case ChatResponseFormatJson json:
                JsonNode? schema = json.Schema is { } given ? JsonNode.Parse(given.GetRawText()) : null;

                // With tools the model may call, or answer in the form asked for.
                if (tools is not null)
                    return model.Grammars.ToolCalls(tools.Format, tools.Callable, tools.AllowsSeveral, schema ?? new JsonObject { ["type"] = "object" });
                return schema is null ? model.Grammars.JsonObject() : model.Grammars.JsonSchema(schema);
            case var format:
                throw new NotSupportedException($"ChatOptions.ResponseFormat {format.GetType().Name} is unknown here.");
        }
    }

    private static int? Budget(ChatOptions? options)
    {
        if (options?.AdditionalProperties?.TryGetValue(MaxReasoningTokens, out object? given) == true)
        {
            int tokens = OptionNumbers.Int32(MaxReasoningTokens, given);
            return tokens >= 0 ? tokens : throw new ArgumentException($"ChatOptions.AdditionalProperties[\"{MaxReasoningTokens}\"] is {tokens}; at least 0 is expected.", nameof(options));
        }

        return options?.Reasoning?.Effort switch
        {
            ReasoningEffort.None => 0,
            ReasoningEffort.Low => Low,
            ReasoningEffort.Medium => Medium,
            _ => null,
        };
    }
}
