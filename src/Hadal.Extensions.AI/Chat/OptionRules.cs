using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>What no client here can do, whichever way it reaches the model.</summary>
internal static class OptionRules
{
    /// <exception cref="NotSupportedException">An option asks for it.</exception>
    public static void Check(ChatOptions? options)
    {
        if (options is null)
            return;
        if (options.ConversationId is not null)
            throw new NotSupportedException("ChatOptions.ConversationId is set, and no conversation is kept here: send all its messages. Their common beginning is computed once (prefix cache).");
#pragma warning disable MEAI001 // For evaluation; they are looked at only to be refused.
        if (options.AllowBackgroundResponses == true)
            throw new NotSupportedException("ChatOptions.AllowBackgroundResponses is set: answers are made while they are waited for.");
        if (options.ContinuationToken is not null)
            throw new NotSupportedException("ChatOptions.ContinuationToken is set: an answer that was left cannot be resumed.");
#pragma warning restore MEAI001
        if (options.Reasoning?.Output == ReasoningOutput.Summary)
            throw new NotSupportedException("ChatOptions.Reasoning.Output is Summary: there is nobody to summarise the thinking. Full gives it, None leaves it out.");
        if (options.ToolMode is RequiredChatToolMode && options.Tools is not { Count: > 0 })
            throw new ArgumentException("ChatOptions.ToolMode requires a call, and there are no Tools.", nameof(options));
        foreach (var tool in options.Tools ?? [])
        {
            if (tool is not AIFunctionDeclaration)
                throw new NotSupportedException($"ChatOptions.Tools has '{tool.Name}' of type {tool.GetType().Name}; only functions can be called here.");
        }
    }
}
