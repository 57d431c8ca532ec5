using System.Text.Json.Nodes;

namespace Hadal.Formats.Chat;

/// <summary>A model with a second template for conversations with tools, chosen as transformers chooses: when tools are given.</summary>
internal sealed class ToolAwareChatTemplate(ChatTemplate plain, ChatTemplate toolUse) : IChatTemplate
{
    public string Source { get; } = plain.Source + "\n" + toolUse.Source;

    public string Render(JsonArray messages, bool addGenerationPrompt, JsonArray? tools = null, JsonObject? extra = null) =>
        (tools is null ? plain : toolUse).Render(messages, addGenerationPrompt, tools, extra);
}
