using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>Functions as the OpenAI API writes them, which is also what chat templates read.</summary>
internal static class ToolJson
{
    /// <returns>Null where there are none.</returns>
    public static JsonArray? Write(ChatOptions? options)
    {
        if (options?.Tools is not { Count: > 0 } tools)
            return null;
        var array = new JsonArray();
        foreach (AIFunctionDeclaration function in tools.OfType<AIFunctionDeclaration>())
        {
            array.Add((JsonNode)new JsonObject
            {
                ["type"] = "function",
                ["function"] = new JsonObject
                {
                    ["name"] = function.Name,
                    ["description"] = function.Description,
                    ["parameters"] = JsonSerializer.SerializeToNode(function.JsonSchema, PlainJson.Type(typeof(JsonElement))),
                },
            });
        }

        return array;
    }

    /// <summary>A call as the model wrote it; arguments that are no JSON object come with the exception that says so.</summary>
    public static FunctionCallContent Call(string id, string name, string arguments) =>
        FunctionCallContent.CreateFromParsedArguments(
            arguments,
            id,
            name,
            static text => string.IsNullOrWhiteSpace(text)
                ? new Dictionary<string, object?>(StringComparer.Ordinal)
                : (IDictionary<string, object?>?)JsonSerializer.Deserialize(text, PlainJson.Type(typeof(IDictionary<string, object?>))));
}
