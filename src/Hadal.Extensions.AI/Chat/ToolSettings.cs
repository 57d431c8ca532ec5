using System.Text.Json.Nodes;
using Hadal.Engine;
using Hadal.Formats.Chat.Tools;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>What a model may call, and whether it must.</summary>
/// <param name="Tools">As the template reads them.</param>
/// <param name="Callable">Names and schemas of those that may be called.</param>
/// <param name="Format">How the model writes calls.</param>
/// <param name="IsRequired">The answer must be calls.</param>
/// <param name="AllowsSeveral">More than one call in an answer.</param>
internal sealed record ToolSettings(JsonArray Tools, IReadOnlyList<(string Name, JsonNode? Parameters)> Callable, ToolCallFormat Format, bool IsRequired, bool AllowsSeveral)
{
    /// <returns>Null where the model is to know of no tools.</returns>
    public static ToolSettings? Read(ChatOptions? options, LanguageModel model)
    {
        if (options?.ToolMode is NoneChatToolMode || ToolJson.Write(options) is not { } tools)
            return null;
        if (model.ToolCallFormat is not { } format)
            throw new NotSupportedException($"ChatOptions.Tools: neither the chat template nor the vocabulary of '{model.Id}' shows how it calls tools. Set HadalModelOptions.ToolCallFormat if you know how.");
        var functions = new List<(string Name, JsonNode? Parameters)>();
        foreach (JsonNode? tool in tools)
        {
            JsonNode function = tool!["function"]!;
            string name = function["name"]!.GetValue<string>();
            if (functions.Exists(f => f.Name == name))
                throw new ArgumentException($"ChatOptions.Tools has two functions named '{name}'.", nameof(options));
            functions.Add((name, function["parameters"]));
        }

        string? required = options!.ToolMode is RequiredChatToolMode { RequiredFunctionName: { } named } ? named : null;
        if (required is not null && !functions.Exists(f => f.Name == required))
            throw new ArgumentException($"ChatOptions.ToolMode requires '{required}', which is not among the Tools.", nameof(options));
        return new ToolSettings(
            tools,
            required is null ? functions : functions.FindAll(f => f.Name == required),
            format,
            options.ToolMode is RequiredChatToolMode,
            (options.AllowMultipleToolCalls ?? true) && format.AllowsSeveral);
    }
}
