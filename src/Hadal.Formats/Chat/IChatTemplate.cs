namespace Hadal.Formats.Chat;

/// <summary>Renders a conversation to the prompt text the model was trained on. Thread-safe.</summary>
public interface IChatTemplate
{
    /// <summary>The Jinja source, for people.</summary>
    string Source { get; }

    /// <param name="messages">JSON array of OpenAI-style messages (role, content, tool_calls, …), already checked to be an array.</param>
    /// <param name="addGenerationPrompt">End with the header of an assistant's turn.</param>
    /// <param name="tools">JSON array of OpenAI-style tools, or null.</param>
    /// <param name="extra">Further variables (for example <c>enable_thinking</c>), or null.</param>
    /// <exception cref="Hadal.Numerics.HadalException">The template refused the conversation (raise_exception) or is broken.</exception>
    string Render(System.Text.Json.Nodes.JsonArray messages, bool addGenerationPrompt, System.Text.Json.Nodes.JsonArray? tools = null, System.Text.Json.Nodes.JsonObject? extra = null);
}
