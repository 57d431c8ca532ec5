using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Hadal.Cli.Jsonl;
using Hadal.Numerics;
using Hadal.Server.InProcess;

namespace Hadal.Cli.Batch;

/// <summary>The answers of a batch, a line each as the OpenAI API writes them, in the order they came.</summary>
internal static class BatchOutput
{
    private static readonly JsonWriterOptions _options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The custom ids that an earlier run has answered.</summary>
    /// <exception cref="HadalException">A line is no answer: the file is another one's.</exception>
    public static HashSet<string> ReadAnswered(JsonLinesOutput file, string path)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        long number = 0;
        foreach (byte[] line in file.ReadLines())
        {
            number++;
            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                if (document.RootElement.ValueKind == JsonValueKind.Object
                    && document.RootElement.TryGetProperty("custom_id", out JsonElement id) && id.ValueKind == JsonValueKind.String
                    && document.RootElement.TryGetProperty("response", out _))
                {
                    ids.Add(id.GetString()!);
                    continue;
                }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                throw new HadalException($"{path}: line {number} is no answer of a batch ({e.Message}); give another file, or move this one away.", e);
            }

            throw new HadalException($"{path}: line {number} is no answer of a batch; give another file, or move this one away.");
        }

        return ids;
    }

    public static void Write(ArrayBufferWriter<byte> buffer, string customId, InProcessAnswer answer)
    {
        using var json = Begin(buffer, customId);
        json.WriteStartObject("response");
        json.WriteNumber("status_code", answer.Status);
        json.WriteString("request_id", answer.RequestId);
        json.WritePropertyName("body");
        json.WriteRawValue(answer.Body);
        json.WriteEndObject();
        json.WriteNull("error");
        json.WriteEndObject();
    }

    public static void WriteError(ArrayBufferWriter<byte> buffer, string customId, string code, string message)
    {
        using var json = Begin(buffer, customId);
        json.WriteNull("response");
        json.WriteStartObject("error");
        json.WriteString("code", code);
        json.WriteString("message", message);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static Utf8JsonWriter Begin(ArrayBufferWriter<byte> buffer, string customId)
    {
        var json = new Utf8JsonWriter(buffer, _options);
        json.WriteStartObject();
        json.WriteString("id", $"batch_req_{Guid.NewGuid():N}");
        json.WriteString("custom_id", customId);
        return json;
    }
}
