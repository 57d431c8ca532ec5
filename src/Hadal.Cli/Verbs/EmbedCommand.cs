using System.Buffers;
using System.CommandLine;
using System.Text.Json;
using Hadal.Cli.Jsonl;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal embed</c>: lines of text to vectors.</summary>
internal static class EmbedCommand
{
    private const int InFlight = 64;

    public static Command Create()
    {
        var command = new Command("embed", """
            Embed lines of text. Each line {"text": …} or {"tokens": […]} of the input gives a line {"index": …, "tokens": …, "embedding": […]}, in the same order.
            An "id" is carried over.

            The output may be there already: then its lines count as done, and the rest is added.

            Examples:
              hadal embed DeepSeek-R1-Distill-Qwen-1.5B --input texts.jsonl --output vectors.jsonl
              echo '{"text": "Hello"}' | hadal embed --input - --pooling last
            """);
        var model = new ModelOptions(command, "auto");
        var input = new Option<string>("--input") { Description = "File of lines {\"text\": …}; - for standard input", Required = true, HelpName = "FILE" };
        var output = new Option<string>("--output") { Description = "File of vectors; - for standard output", DefaultValueFactory = _ => "-", HelpName = "FILE" };
        var pooling = new Option<Pooling>("--pooling") { Description = "What is made of the tokens' hidden states: their mean, or the last one", DefaultValueFactory = _ => Pooling.Mean };
        var dimensions = new Option<int?>("--dimensions") { Description = "Keep the first so many elements; by default all", HelpName = "N" };
        var raw = new Option<bool>("--no-normalize") { Description = "Do not scale vectors to length 1" };
        dimensions.InRange(1);
        foreach (Option option in new Option[] { input, output, pooling, dimensions, raw })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, ct) => RunAsync(
            parsed,
            model,
            parsed.GetValue(input)!,
            parsed.GetValue(output)!,
            new EmbeddingRequest { Id = "", Tokens = [], Pooling = parsed.GetValue(pooling), Dimensions = parsed.GetValue(dimensions), Normalize = !parsed.GetValue(raw) },
            ct));
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, ModelOptions options, string input, string output, EmbeddingRequest wish, CancellationToken cancellationToken)
    {
        // Both before the model, which may take minutes to load.
        await using Stream stream = input == "-" ? Console.OpenStandardInput() : File.OpenRead(input);
        using JsonLinesOutput? file = output == "-" ? null : JsonLinesOutput.Open(output);
        await using Stream? console = file is null ? Console.OpenStandardOutput() : null;
        long skip = file?.NumLines ?? 0;
        if (skip > 0)
        {
            Terminal.Note($"{output}: has {skip} lines already; going on behind them.");
        }

        await using var session = new EngineSession(
            ModelSession.Load(options, parsed, cancellationToken, (_, load) => load with { MaxSequences = InFlight }),
            new EngineOptions { MaxRunning = InFlight });
        using var bar = new WorkProgressBar("texts", total: null);
        var pending = new Queue<(string? Id, long Index, Task<EmbeddingResult> Task)>();
        var json = new ArrayBufferWriter<byte>();
        long index = 0;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            foreach (byte[] line in new JsonLinesInput(stream).ReadAll().Where(l => !l.AsSpan().Trim(" \t"u8).IsEmpty))
            {
                long at = index++;
                if (at < skip)
                {
                    continue;
                }

                cancellationToken.ThrowIfCancellationRequested();
                (string? id, int[] tokens) = Read(line, $"{input}: text {at}", session);
                try
                {
                    pending.Enqueue((id, at, session.Engine.EmbedAsync(wish with { Id = $"{at}", Tokens = tokens }, stop.Token)));
                }
                catch (InvalidRequestException e)
                {
                    throw new HadalException($"{input}: text {at}: {e.Message}", e);
                }

                if (pending.Count == InFlight)
                {
                    await WriteNextAsync().ConfigureAwait(false);
                }
            }

            while (pending.Count > 0)
            {
                await WriteNextAsync().ConfigureAwait(false);
            }

            file?.Sync();
        }
        finally
        {
            await stop.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(pending.Select(p => (Task)p.Task)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        if (index < skip)
        {
            throw new HadalException($"{output}: has {skip} lines, but {input} only {index}: they do not belong together.");
        }

        return 0;

        async Task WriteNextAsync()
        {
            (string? id, long at, Task<EmbeddingResult> task) = pending.Dequeue();
            EmbeddingResult result = await task.ConfigureAwait(false);
            json.ResetWrittenCount();
            Write(json, id, at, result);
            if (file is not null)
            {
                file.Append(json.WrittenSpan);
            }
            else
            {
                json.Write("\n"u8);
                await console!.WriteAsync(json.WrittenMemory, cancellationToken).ConfigureAwait(false);
            }

            bar.Report(at + 1 - skip);
        }
    }

    private static void Write(ArrayBufferWriter<byte> buffer, string? id, long index, EmbeddingResult result)
    {
        using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        if (id is not null)
        {
            json.WriteString("id", id);
        }

        json.WriteNumber("index", index);
        json.WriteNumber("tokens", result.Usage.PromptTokens);
        json.WriteStartArray("embedding");
        foreach (float value in result.Vector)
        {
            json.WriteNumberValue(value);
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static (string? Id, int[] Tokens) Read(byte[] line, string where, EngineSession session)
    {
        _ = StrictText.Decode(line, where);
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object)
            {
                string? id = root.TryGetProperty("id", out JsonElement given) && given.ValueKind == JsonValueKind.String ? given.GetString() : null;
                if (root.TryGetProperty("text", out JsonElement text) && text.ValueKind == JsonValueKind.String)
                {
                    return (id, session.Tokenizer.Encode(text.GetString()!, true));
                }

                if (root.TryGetProperty("tokens", out JsonElement tokens) && tokens.ValueKind == JsonValueKind.Array
                    && tokens.EnumerateArray().All(t => t.ValueKind == JsonValueKind.Number && t.TryGetInt32(out _)))
                {
                    return (id, [.. tokens.EnumerateArray().Select(t => t.GetInt32())]);
                }
            }
        }
        catch (JsonException e)
        {
            throw new HadalException($"{where} is no JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            throw new HadalException($"{where}: a string is not valid Unicode: {e.Message}", e);
        }

        throw new HadalException($"{where}: expected an object with a string \"text\" or an array of ids \"tokens\".");
    }
}
