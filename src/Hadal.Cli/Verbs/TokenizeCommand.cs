using System.CommandLine;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Hadal.Cli.Session;
using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal tokenize</c>: lines of text to ids and back, for checking a tokenizer from outside.</summary>
internal static class TokenizeCommand
{
    public static Command Create()
    {
        var command = new Command("tokenize", """
            Tokenize lines of text. Each line {"text": …} of the JSONL file gives a line {"ids": […], "decoded": …}; no special tokens are added.

            MODEL is a model folder, a folder with just tokenizer.json, a .gguf file, or nothing: the demo model.

            Examples:
              hadal tokenize DeepSeek-V3 --jsonl lines.jsonl
              echo '{"text": "Hello"}' | hadal tokenize --jsonl -
            """);
        var model = new Argument<string?>("MODEL") { Description = "Folder with tokenizer.json, or .gguf file; nothing for the demo model", Arity = ArgumentArity.ZeroOrOne };
        var jsonl = new Option<string>("--jsonl") { Description = "File of lines {\"text\": …}; - for standard input", Required = true, HelpName = "FILE" };
        command.Arguments.Add(model);
        command.Options.Add(jsonl);
        command.SetAction((parsed, ct) => Task.FromResult(Run(parsed.GetValue(model), parsed.GetValue(jsonl)!, ct)));
        return command;
    }

    private static int Run(string? model, string file, CancellationToken cancellationToken)
    {
        using Checkpoint? checkpoint = model is null ? DemoModel.Open() : File.Exists(model) ? Checkpoint.Open(model) : null;
        ITokenizer tokenizer = checkpoint is not null ? CheckpointText.LoadTokenizer(checkpoint) : TokenizerLoader.FromFolder(model!);
        using Stream input = file == "-" ? Console.OpenStandardInput() : File.OpenRead(file);
        // Latin-1 keeps every byte, so that each line is decoded by itself and a bad one is named rightly.
        using var reader = new StreamReader(input, Encoding.Latin1, detectEncodingFromByteOrderMarks: false);
        using Stream output = Console.OpenStandardOutput();
        using var json = new Utf8JsonWriter(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        int number = 0;
        while (reader.ReadLine() is { } bytes)
        {
            number++;
            cancellationToken.ThrowIfCancellationRequested();
            string line = StrictText.Decode(Encoding.Latin1.GetBytes(bytes), $"{file}: line {number}");
            if (line.Length == 0)
            {
                continue;
            }

            int[] ids = tokenizer.Encode(Text(line, file, number));
            json.WriteStartObject();
            json.WriteStartArray("ids");
            foreach (int id in ids)
            {
                json.WriteNumberValue(id);
            }

            json.WriteEndArray();
            json.WriteString("decoded", tokenizer.Decode(ids));
            json.WriteEndObject();
            json.Flush();
            json.Reset();
            output.WriteByte((byte)'\n');
        }

        return 0;
    }

    private static string Text(string line, string file, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            if (document.RootElement.ValueKind == JsonValueKind.Object
                && document.RootElement.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String)
            {
                return text.GetString()!;
            }
        }
        catch (JsonException e)
        {
            throw new HadalException($"{file}: line {number} is no JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // System.Text.Json's word for half of a surrogate pair, which is no text.
            throw new HadalException($"{file}: line {number}: a string is not valid Unicode: {e.Message}", e);
        }

        throw new HadalException($"{file}: line {number}: expected an object with a string \"text\".");
    }
}
