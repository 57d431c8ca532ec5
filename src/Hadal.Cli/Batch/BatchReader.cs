using System.Text.Json;
using Hadal.Cli.Jsonl;
using Hadal.Cli.Session;
using Hadal.Numerics;

namespace Hadal.Cli.Batch;

/// <summary>Reads a file in the OpenAI batch format: lines {"custom_id", "method", "url", "body"}.</summary>
internal static class BatchReader
{
    public static readonly string[] Urls = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];

    // As the API itself takes.
    private const int MaxBodyBytes = 16 << 20;

    /// <summary>
    /// The custom ids of a file, checked before anything runs: a line without one, or with one that came before, is an error of the whole file, since its
    /// answer could not be told from another's.
    /// </summary>
    public static HashSet<string> ReadIds(string path, CancellationToken cancellationToken)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (BatchLine line in Read(path))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!ids.Add(line.CustomId))
            {
                throw new HadalException($"{path}: custom_id \"{Shorten(line.CustomId)}\" is there twice; each request needs one of its own, by which its answer is found.");
            }
        }

        return ids;
    }

    public static IEnumerable<BatchLine> Read(string path)
    {
        using FileStream stream = File.OpenRead(path);
        long number = 0;
        foreach (byte[] bytes in new JsonLinesInput(stream).ReadAll())
        {
            number++;
            if (bytes.AsSpan().Trim(" \t"u8).IsEmpty)
            {
                continue;
            }

            yield return Parse(bytes, $"{path}: line {number}");
        }
    }

    private static BatchLine Parse(byte[] bytes, string where)
    {
        _ = StrictText.Decode(bytes, where);
        try
        {
            using JsonDocument document = JsonDocument.Parse(bytes.AsMemory(bytes is [0xEF, 0xBB, 0xBF, ..] ? 3 : 0));
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "custom_id") is not { Length: > 0 } id)
            {
                throw new HadalException($"{where}: expected an object with a string \"custom_id\".");
            }

            string method = Text(root, "method") ?? "(absent)";
            string url = Text(root, "url") ?? "(absent)";
            if (method != "POST")
            {
                return Bad("invalid_method", $"method is \"{Shorten(method)}\"; expected \"POST\".");
            }

            if (!Urls.Contains(url, StringComparer.Ordinal))
            {
                return Bad("invalid_url", $"url is \"{Shorten(url)}\"; expected one of {string.Join(", ", Urls)}.");
            }

            if (!root.TryGetProperty("body", out JsonElement body) || body.ValueKind != JsonValueKind.Object)
            {
                return Bad("invalid_body", "body is missing or no object.");
            }

            if (body.TryGetProperty("stream", out JsonElement stream) && stream.ValueKind == JsonValueKind.True)
            {
                return Bad("invalid_body", "body has \"stream\": true; an answer in a file is whole.");
            }

            byte[] json = System.Text.Encoding.UTF8.GetBytes(body.GetRawText());
            return json.Length > MaxBodyBytes
                ? Bad("request_too_large", $"body has {json.Length} bytes; at most {MaxBodyBytes} are taken.")
                : new BatchLine(id, url, json, Error: null);

            BatchLine Bad(string code, string message) => new(id, url, [], (code, message));
        }
        catch (JsonException e)
        {
            throw new HadalException($"{where} is no JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new HadalException($"{where}: a string is not valid Unicode: {e.Message}", e);
        }
    }

    private static string? Text(JsonElement root, string name)
        => root.TryGetProperty(name, out JsonElement e) && e.ValueKind == JsonValueKind.String ? e.GetString() : null;

    internal static string Shorten(string text) => text.Length <= 80 ? text : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[79]) ? 79 : 80), "…");
}
