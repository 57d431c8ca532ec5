using System.Text.Json;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary>
/// Fields of the OpenAI reference that change nothing here: their types are checked, since a wrong one is the client's mistake whatever becomes of it, and those that would
/// have to change the answer are refused. docs/http-api.md says of each why.
/// </summary>
internal static class OpenAiFields
{
    private const int MaxMetadata = 16;
    private const int MaxMetadataName = 64;
    private const int MaxMetadataValue = 512;

    public static void Check(JsonFields body)
    {
        // Whose request it is and where it is kept: nothing is kept, and the key says whose.
        body.String("user");
        body.String("safety_identifier");
        body.String("prompt_cache_key");
        OneOf(body, "prompt_cache_retention", "in-memory", "in_memory", "24h");
        body.Bool("store");
        CheckMetadata(body);
        OneOf(body, "service_tier", "auto", "default", "flex", "scale", "priority");

        // A guess of the answer, to be quick: the answer is the same without.
        if (body.TryGet("prediction", JsonValueKind.Object, out var prediction))
        {
            var fields = new JsonFields(prediction, "prediction.");
            OneOf(fields, "type", "content");
            if (fields.TryGet("content", out var content) && content.ValueKind is not (JsonValueKind.String or JsonValueKind.Array))
                throw JsonFields.WrongType("prediction.content", content, "a string or an array of parts");
        }

        if (body.TryGet("audio", JsonValueKind.Object, out _))
            throw ApiException.NotSupported("audio", "'audio' is not supported: the models here write text only.");
        if (body.TryGet("web_search_options", JsonValueKind.Object, out _))
            throw ApiException.NotSupported("web_search_options", "'web_search_options' is not supported: nothing here searches the web.");
        if (OneOf(body, "verbosity", "low", "medium", "high") is { } verbosity && verbosity != "medium")
            throw ApiException.NotSupported("verbosity", "'verbosity' can only be 'medium': the models here know no other. Ask for short or long answers in the messages.");
    }

    private static string? OneOf(JsonFields fields, string name, params ReadOnlySpan<string> allowed)
    {
        if (fields.String(name) is not { } value)
            return null;
        foreach (string one in allowed)
        {
            if (value == one)
                return value;
        }

        throw ApiException.Invalid(fields.Path(name), $"'{fields.Path(name)}' is '{ApiException.Shorten(value)}'; expected is one of {string.Join(", ", allowed)}.", "invalid_value");
    }

    private static void CheckMetadata(JsonFields body)
    {
        if (!body.TryGet("metadata", JsonValueKind.Object, out var metadata))
            return;
        if (metadata.GetPropertyCount() > MaxMetadata)
            throw ApiException.Invalid("metadata", $"'metadata' has {metadata.GetPropertyCount()} entries; at most {MaxMetadata} are taken.", "invalid_value");
        foreach (var entry in metadata.EnumerateObject())
        {
            string path = "metadata." + ApiException.Shorten(entry.Name);
            if (entry.Value.ValueKind != JsonValueKind.String)
                throw JsonFields.WrongType(path, entry.Value, "a string");
            if (entry.Name.Length > MaxMetadataName || entry.Value.GetString()!.Length > MaxMetadataValue)
                throw ApiException.Invalid(path, $"'{path}' is too long; names may have {MaxMetadataName} characters and values {MaxMetadataValue}.", "invalid_value");
        }
    }
}
