using Hadal.Engine;
using Hadal.Engine.Constraints;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

internal sealed record ChatRequest
{
    public required ServedModel Model { get; init; }

    public required int[] PromptTokens { get; init; }

    public required SamplingParams Sampling { get; init; }

    public required StreamOptions Streaming { get; init; }

    /// <summary>How the answer's thinking begins; null leaves the text whole.</summary>
    public required ReasoningStart? Start { get; init; }

    /// <summary>The engine was told to keep special tokens for the sake of the markers; all but these are to be taken out here.</summary>
    public required bool HideSpecialTokens { get; init; }

    /// <summary>What the model may call; null for nothing.</summary>
    public required ToolSettings? Tools { get; init; }

    /// <summary>What each answer is held to; null for nothing.</summary>
    public required Func<ITokenConstraint>? CreateConstraint { get; init; }

    public static ChatRequest Read(JsonFields body, ServedModel model, HadalServerOptions options)
    {
        var sampling = SamplingReader.Read(body, model, options);
        var conversation = ConversationReader.Read(body, model);

        bool logProbs = body.Bool("logprobs") ?? false;
        int? topLogProbs = body.Int("top_logprobs", 0, 20);
        if (topLogProbs > 0 && !logProbs)
            throw ApiException.Invalid("top_logprobs", "'top_logprobs' is only allowed together with 'logprobs': true.", "invalid_value");

        int[] tokens = model.Tokenizer.Encode(conversation.Prompt);
        PromptLimits.Check(tokens, model, "messages");

        // Where <think> is a special token (R1's vocabulary as some converters write it), skipping special tokens would swallow the markers, and with
        // them the border between thinking and answer. The engine then keeps all of them in the text, in their right places, and the others go here.
        // Markers of tool calls likewise.
        bool keepMarkers = sampling.SkipSpecialTokens && (MarkersAreSpecial(model) || MarkersAreSpecial(model, conversation.Tools?.Format));
        ReasoningStart? start = StartOf(conversation, model);
        return new ChatRequest
        {
            Model = model,
            PromptTokens = tokens,
            Sampling = sampling with
            {
                MaxTokens = body.Int("max_completion_tokens", 1, int.MaxValue) ?? body.Int("max_tokens", 1, int.MaxValue),
                LogProbs = logProbs ? topLogProbs ?? 0 : null,
                SkipSpecialTokens = sampling.SkipSpecialTokens && !keepMarkers,
            },
            Streaming = StreamOptions.Read(body),
            Start = options.Reasoning == ReasoningMode.Off ? null : start,
            HideSpecialTokens = keepMarkers,
            Tools = conversation.Tools,
            CreateConstraint = ChatConstraint.Read(body, model, conversation.Tools, start),
        };
    }

    private static bool MarkersAreSpecial(ServedModel model) =>
        model.ReasoningMarkers is { } markers
        && (model.Tokenizer.TryGetId(markers.Open, out int open) && model.Tokenizer.IsSpecial(open)
            || model.Tokenizer.TryGetId(markers.Close, out int close) && model.Tokenizer.IsSpecial(close));

    private static bool MarkersAreSpecial(ServedModel model, ToolCallFormat? format) =>
        format is not null && format.Markers.Any(marker => model.Tokenizer.TryGetId(marker, out int id) && model.Tokenizer.IsSpecial(id));

    private static ReasoningStart? StartOf(Conversation conversation, ServedModel model)
    {
        if (model.ReasoningMarkers is not { } markers)
            return null;

        // Only what ends the prompt counts: a user may have written the markers anywhere.
        var prompt = conversation.Prompt.AsSpan().TrimEnd();
        if (prompt.EndsWith(markers.Open))
            return ReasoningStart.BehindOpen;
        if (prompt.EndsWith(markers.Close))
            return ReasoningStart.BehindClose;
        if (conversation.Continued is { } continued)
        {
            int open = continued.LastIndexOf(markers.Open, StringComparison.Ordinal);
            int close = continued.LastIndexOf(markers.Close, StringComparison.Ordinal);
            return open > close ? ReasoningStart.AmidReasoning : ReasoningStart.AmidContent;
        }

        return ReasoningStart.Undecided;
    }
}
