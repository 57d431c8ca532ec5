using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>Microsoft.Extensions.AI's own way to write JSON, on one line: as a model is used to see it.</summary>
internal static class PlainJson
{
    private static readonly JsonSerializerOptions s_options = Create();

    public static JsonTypeInfo Type(Type type) => s_options.GetTypeInfo(type);

    private static JsonSerializerOptions Create()
    {
        var options = new JsonSerializerOptions(AIJsonUtilities.DefaultOptions) { WriteIndented = false };
        options.MakeReadOnly();
        return options;
    }
}
