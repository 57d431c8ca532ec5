using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Engine;
using Hadal.Formats.Chat;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Numerics;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>A conversation as the tokens the model was trained on, and how its answer begins.</summary>
/// <param name="Tokens">The prompt.</param>
/// <param name="Start">How the answer's thinking begins; null for a model that does not think.</param>
internal sealed record ChatPrompt(int[] Tokens, ReasoningStart? Start)
{
    /// <summary>The key of <c>AdditionalProperties</c> for variables of the template.</summary>
    public const string TemplateVariables = "chat_template_kwargs";

    private static readonly string[] s_reserved = ["messages", "tools", "add_generation_prompt"];

    public static ChatPrompt Render(LanguageModel model, IEnumerable<ChatMessage> messages, ChatOptions? options, ToolSettings? tools)
    {
        if (model.ChatTemplate is not { } template)
            throw new NotSupportedException($"The model '{model.Id}' has no chat template: it completes text and does not chat.");
        JsonArray array = MessageJson.Write(messages, options?.Instructions);
        ToolPrompt.AdaptCalls(array, template);
        bool takesTools = ToolPrompt.TakesTools(template);
        if (tools is not null && !takesTools)
            ToolPrompt.AddToSystem(array, tools.Tools, tools.Format);
        string text;
        try
        {
            text = template.Render(array, addGenerationPrompt: true, takesTools ? tools?.Tools : null, Variables(template, options));
        }
        catch (HadalException exception)
        {
            // Templates refuse conversations: roles that don't alternate, and the like.
            throw new ArgumentException($"The model's chat template refuses this conversation: {exception.Message}", nameof(messages), exception);
        }

        int[] tokens = model.Tokenizer.Encode(text);
        if (tokens.Length >= model.Engine.MaxContextLen)
            throw new ArgumentException($"The prompt has {tokens.Length} tokens, and the context holds {model.Engine.MaxContextLen}, one of them for the answer. Shorten the conversation.", nameof(messages));
        return new ChatPrompt(tokens, StartOf(text, model));
    }

    private static JsonObject? Variables(IChatTemplate template, ChatOptions? options)
    {
        JsonObject? variables = null;
        if (options?.AdditionalProperties?.TryGetValue(TemplateVariables, out object? given) == true)
        {
            variables = given switch
            {
                JsonObject json => (JsonObject)json.DeepClone(),
                JsonElement { ValueKind: JsonValueKind.Object } json => JsonObject.Create(json),
                IDictionary<string, object?> map => (JsonObject)JsonSerializer.SerializeToNode(map, PlainJson.Type(typeof(IDictionary<string, object?>)))!,
                _ => throw OptionNumbers.Wrong(TemplateVariables, given, "a JSON object or a dictionary"),
            };
            foreach (string name in s_reserved)
            {
                if (variables!.ContainsKey(name))
                    throw new ArgumentException($"'{TemplateVariables}' cannot set '{name}', which is the template's own.", nameof(options));
            }
        }

        return ReasoningSwitch.Apply(template, options?.Reasoning, variables);
    }

    private static ReasoningStart? StartOf(string prompt, LanguageModel model)
    {
        if (model.ReasoningMarkers is not { } markers)
            return null;

        // Only what ends the prompt counts: a user may have written the markers anywhere.
        var end = prompt.AsSpan().TrimEnd();
        return end.EndsWith(markers.Open) ? ReasoningStart.BehindOpen : end.EndsWith(markers.Close) ? ReasoningStart.BehindClose : ReasoningStart.Undecided;
    }
}
