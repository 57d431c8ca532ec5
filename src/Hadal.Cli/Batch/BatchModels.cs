using System.Text.Json;

namespace Hadal.Cli.Batch;

/// <summary>The names by which a batch file's requests ask for a model.</summary>
internal static class BatchModels
{
    public static IReadOnlySet<string> Read(string path)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (BatchLine line in BatchReader.Read(path).Where(l => l.Error is null))
        {
            using JsonDocument body = JsonDocument.Parse(line.Body);
            if (body.RootElement.TryGetProperty("model", out JsonElement model) && model.ValueKind == JsonValueKind.String && model.GetString() is { Length: > 0 } name)
            {
                names.Add(name);
            }
        }

        return names;
    }
}
