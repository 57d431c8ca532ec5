using Hadal.Engine;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>One call of the client, checked and ready for the engine.</summary>
/// <param name="Request">Without its id.</param>
/// <param name="Reader">For the answer.</param>
/// <param name="ShowsReasoning">The caller wants the thinking too.</param>
internal sealed record ChatCall(GenerationRequest Request, AnswerReader Reader, bool ShowsReasoning)
{
    public static ChatCall Create(LanguageModel model, IEnumerable<ChatMessage> messages, ChatOptions? options, IChatClient client)
    {
        SamplingParams sampling = SamplingReader.Read(options, model, client);
        ToolSettings? tools = ToolSettings.Read(options, model);
        ChatPrompt prompt = ChatPrompt.Render(model, messages, options, tools);

        // Where <think> is a special token, skipping special tokens would swallow the border between thinking and answer; markers of calls likewise.
        bool keepMarkers = sampling.SkipSpecialTokens && AnswerReader.MarkersAreSpecial(model, tools?.Format);
        return new ChatCall(
            new GenerationRequest
            {
                Id = "",
                PromptTokens = prompt.Tokens,
                Sampling = sampling with { SkipSpecialTokens = sampling.SkipSpecialTokens && !keepMarkers },
                CreateConstraint = AnswerConstraint.Create(options, model, tools, prompt.Start),
            },
            new AnswerReader(model, prompt.Start, keepMarkers, tools),
            options?.Reasoning?.Output != ReasoningOutput.None);
    }
}
