using System.CommandLine;
using System.Text;
using System.Text.Json;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Npy;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;
using Hadal.Optimize.Calibration;
using Hadal.Optimize.Export;
using Hadal.Optimize.Quantization;
using Hadal.Optimize.Recipes;
using Hadal.Optimize.Sensitivity;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal quantize</c>: a checkpoint made smaller, and what it cost.</summary>
internal static class QuantizeCommand
{
    // Of a line of JSON, in the order in which they are read.
    private static readonly string[] _textFields = ["text", "prompt", "think", "answer"];

    private const string Self = "self";

    public static Command Create()
    {
        var command = new Command("quantize", """
            Make a checkpoint smaller: FP8, INT8 or INT4, all alike, by a recipe, or searched for under a budget. The result is a folder that hadal and other engines load
            (DeepSeek's FP8 layout, or compressed-tensors), with a recipe that makes it again and a report of what was chosen and why.

            Routers, norms, embeddings and the head stay as they are unless a recipe names the head. Interrupted work goes on where it was when the same command is given again.

            Examples:
              hadal quantize DeepSeek-R1-Distill-Qwen-7B --out r1-7b-fp8 --format fp8-block
              hadal quantize DeepSeek-R1-Distill-Qwen-7B --out r1-7b-w8a8 --format int8 --smooth 0.5 --calibration book.txt
              hadal quantize --out demo-int4 --format int4 --group-size 32 --method gptq --calibration self
              hadal quantize --out demo-mix --budget nll:+0.003 --calibration self
              hadal quantize DeepSeek-R1-Distill-Qwen-7B --out r1-7b.gguf --format q4_0
              hadal quantize --out again --recipe demo-mix/quantization_recipe.json --calibration self
            """);
        var model = new Argument<string?>("MODEL") { Description = "Hugging Face folder; the bundled demo model where none is given", Arity = ArgumentArity.ZeroOrOne };
        var output = new Option<string>("--out") { Description = "Folder to make, or a .gguf file", HelpName = "FOLDER", Required = true };
        var format = new Option<string?>("--format") { Description = $"One format for all matrices of layers: {WeightFormats.All}; of a .gguf file {GgufExport.Types}", HelpName = "FORMAT" };
        var recipe = new Option<FileInfo?>("--recipe") { Description = "What becomes what, as an earlier run wrote it", HelpName = "FILE.json" };
        var budget = new Option<string?>("--budget") { Description = "Search a mix: bytes:12MiB, bytes:55%, nll:+0.003 or latency:5.8ms", HelpName = "BUDGET" };
        var formats = new Option<string>("--formats") { Description = "Formats a search may choose, besides bf16", DefaultValueFactory = _ => "fp8-block,int8", HelpName = "LIST" };
        var layerGroup = new Option<int>("--layer-group") { Description = "Layers measured together in a search", DefaultValueFactory = _ => 1, HelpName = "N" };
        var method = new Option<string>("--method") { Description = "rtn (round to nearest) or gptq (errors passed on; needs calibration)", DefaultValueFactory = _ => "rtn", HelpName = "METHOD" };
        var groupSize = new Option<int?>("--group-size") { Description = "Columns with one scale, for int4 (128) and int8-weight (whole rows)", HelpName = "N" };
        var smooth = new Option<double?>("--smooth") { Description = "Move outliers of activations into int8 weights by this much (SmoothQuant's α, 0 to 1)", HelpName = "ALPHA" };
        var aware = new Option<bool>("--activation-aware") { Description = "Scale weights of strong channels up before they are rounded (int4, int8-weight)" };
        var calibration = new Option<string?>("--calibration") { Description = "Text, .jsonl with prompt and answer or text, .npy of token ids, or 'self': the model writes it", HelpName = "FILE" };
        var tokens = new Option<int>("--calibration-tokens") { Description = "Tokens of it to use at the most", DefaultValueFactory = _ => 8192, HelpName = "N" };
        var rowTokens = new Option<int>("--calibration-row") { Description = "Tokens a row of it", DefaultValueFactory = _ => 256, HelpName = "N" };
        var threads = new Option<int>("--threads") { Description = "Workers", DefaultValueFactory = _ => Environment.ProcessorCount, HelpName = "N" };
        var restart = new Option<bool>("--restart") { Description = "Throw away what an interrupted run left" };
        var noCompare = new Option<bool>("--no-compare") { Description = "Do not run the result against its base" };
        var json = new Option<bool>("--json") { Description = "Print the report as JSON" };
        command.Arguments.Add(model);
        foreach (Option option in new Option[] { output, format, recipe, budget, formats, layerGroup, method, groupSize, smooth, aware, calibration, tokens, rowTokens, threads, restart, noCompare, json })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, ct) =>
        {
            string path = parsed.GetValue(model) ?? "";
            int workers = Range(parsed.GetValue(threads), 1, 4096, "--threads");
            int maxTokens = Range(parsed.GetValue(tokens), CalibrationText.MinTokens, 1 << 24, "--calibration-tokens");
            int perRow = Range(parsed.GetValue(rowTokens), 2, 1 << 20, "--calibration-row");
            int given = new[] { parsed.GetValue(format) is not null, parsed.GetValue(recipe) is not null, parsed.GetValue(budget) is not null }.Count(g => g);
            if (given != 1)
            {
                throw new HadalException("Give one of --format FORMAT, --recipe FILE and --budget BUDGET.");
            }

            if (parsed.GetValue(output)!.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase))
            {
                return Gguf(path, parsed.GetValue(output)!, parsed.GetValue(format), ct);
            }

            (QuantRecipe rules, string origin) = Recipe(
                parsed.GetValue(format), parsed.GetValue(recipe), parsed.GetValue(method)!, parsed.GetValue(groupSize), parsed.GetValue(smooth), parsed.GetValue(aware), parsed.GetValue(formats)!);
            QuantBudget? limit = parsed.GetValue(budget) is { } b ? QuantBudget.Parse(b) : null;
            using Checkpoint source = path.Length == 0 ? DemoModel.Open() : Checkpoint.Open(path);
            using var bar = new StageProgressBar();
            IReadOnlyList<int[]> rows = parsed.GetValue(calibration) is { } text ? await TextAsync(text, source, maxTokens, perRow, workers, bar, ct).ConfigureAwait(false) : [];
            QuantizeReport report = QuantizeJob.Run(source, new QuantizeOptions
            {
                Output = parsed.GetValue(output)!,
                Recipe = rules,
                RecipeOrigin = origin,
                Budget = limit,
                Formats = [.. parsed.GetValue(formats)!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(f => WeightFormats.Parse(f, "--formats")).Where(f => f != WeightFormat.Bf16).Distinct()],
                LayerGroup = Range(parsed.GetValue(layerGroup), 1, 4096, "--layer-group"),
                Calibration = rows,
                CalibrationOrigin = parsed.GetValue(calibration) is { } c ? $"{Path.GetFileName(c)}, {rows.Sum(r => r.Length)} tokens in {rows.Count} rows" : "none",
                Threads = workers,
                Restart = parsed.GetValue(restart),
                Compare = !parsed.GetValue(noCompare),
            }, bar, ct);
            bar.Dispose();
            Console.WriteLine(parsed.GetValue(json) ? Encoding.UTF8.GetString(report.ToJson()) : Summary(report, parsed.GetValue(output)!));
            return 0;
        });
        return command;
    }

    private static int Gguf(string model, string output, string? format, CancellationToken cancellationToken)
    {
        DType type = GgufExport.ParseType(format ?? throw new HadalException($"A .gguf file is written in one type: give --format, one of {GgufExport.Types}."));
        using Checkpoint source = model.Length == 0 ? DemoModel.Open() : Checkpoint.Open(model);
        using var bar = new StageProgressBar();
        long bytes = GgufExport.Write(source, output, type, bar, cancellationToken);
        bar.Dispose();
        Console.WriteLine($"{output}: {Terminal.Bytes(source.ByteLength)} → {Terminal.Bytes(bytes)}");
        return 0;
    }

    private static string Summary(QuantizeReport report, string output)
    {
        string mix = string.Join(", ", report.Units.GroupBy(u => u.Format).OrderByDescending(g => g.Sum(u => u.Bytes)).Select(g => $"{WeightFormats.NameOf(g.Key)} {g.Sum(u => u.Matrices)} matrices"));
        var text = new StringBuilder($"{output}: {Terminal.Bytes(report.SourceBytes)} → {Terminal.Bytes(report.OutputBytes)} in {report.Seconds:0.0} s; {mix}");
        if (report.Divergence is { } d)
        {
            text.Append($"\nkept back: nll {report.BaseNll:0.00000} {d.NllRise:+0.00000;-0.00000}, KL {d.Kl:0.000000}, top-1 agreement {100 * d.TopAgreement:0.00} %");
        }

        foreach (string note in report.Notes)
        {
            text.Append($"\nnote: {note}");
        }

        return text.Append($"\nreport: {Path.Combine(output, QuantizeJob.ReportName)}.md; recipe: {Path.Combine(output, QuantizeJob.RecipeName)}").ToString();
    }

    private static (QuantRecipe Recipe, string Origin) Recipe(string? format, FileInfo? file, string method, int? groupSize, double? smooth, bool aware, string formats)
    {
        if (file is not null)
        {
            return groupSize is null && smooth is null && !aware && method == "rtn"
                ? (RecipeFile.Read(file.FullName), file.FullName)
                : throw new HadalException("--recipe says --method, --group-size, --smooth and --activation-aware itself; give either.");
        }

        if (smooth is < 0 or > 1)
        {
            throw new HadalException($"--smooth {smooth}: expected a number from 0 to 1.");
        }

        QuantMethod how = method switch
        {
            "rtn" => QuantMethod.Rtn,
            "gptq" => QuantMethod.Gptq,
            _ => throw new HadalException($"--method {method}: expected rtn or gptq."),
        };
        WeightFormat? one = format is null ? null : WeightFormats.Parse(format, "--format");
        bool int4 = one == WeightFormat.Int4 || (one is null && formats.Contains("int4", StringComparison.Ordinal));
        int group = groupSize is { } g ? Range(g, 0, 1 << 20, "--group-size") : int4 ? 128 : 0;
        QuantRecipe recipe = one is { } f ? QuantRecipe.Uniform(f) : new QuantRecipe();
        return (recipe with { Method = how, GroupSize = group, Smooth = smooth, ActivationAware = aware }, one is null ? "--budget" : $"--format {format}");
    }

    private static async Task<IReadOnlyList<int[]>> TextAsync(string text, Checkpoint source, int maxTokens, int rowTokens, int threads, StageProgressBar progress, CancellationToken cancellationToken)
    {
        int row = Math.Min(rowTokens, source.Config.MaxPositionEmbeddings);
        if (text == Self)
        {
            progress.Report(new QuantizeProgress("writing calibration text", 0, 1, 0, "texts"));
            return await SelfText.WriteAsync(source.Config, source.Tensors, Math.Max(1, maxTokens / row), row, threads, cancellationToken).ConfigureAwait(false);
        }

        if (text.EndsWith(".npy", StringComparison.OrdinalIgnoreCase))
        {
            NpyArray array = NpyArray.Read(text);
            return CalibrationText.Rows(array.ToInt32().Chunk(Math.Max(1, array.Shape.Count == 0 ? 1 : array.Shape[^1])), text, maxTokens, row);
        }

        ITokenizer tokenizer = CheckpointText.LoadTokenizer(source);
        string content = StrictText.Read(text);
        return text.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
            ? CalibrationText.Rows(Lines(content, text).Select(l => tokenizer.Encode(l)), text, maxTokens, row)
            : CalibrationText.Rows(content, text, tokenizer, maxTokens, row);
    }

    /// <summary>The strings of each line's object, in the file's order.</summary>
    private static IEnumerable<string> Lines(string content, string file)
    {
        int number = 0;
        foreach (string line in content.Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            string joined;
            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                if (document.RootElement.ValueKind != JsonValueKind.Object)
                {
                    throw new HadalException($"{file}: line {number} is not a JSON object.");
                }

                joined = string.Join('\n', _textFields.Where(k => document.RootElement.TryGetProperty(k, out JsonElement e) && e.ValueKind == JsonValueKind.String)
                    .Select(k => document.RootElement.GetProperty(k).GetString()));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                throw new HadalException($"{file}: line {number} is not valid JSON: {e.Message}", e);
            }

            yield return joined.Length > 0 ? joined : throw new HadalException($"{file}: line {number} has none of text, prompt, think and answer.");
        }
    }

    private static int Range(int value, int min, int max, string option)
        => value >= min && value <= max ? value : throw new HadalException($"{option} {value}: expected a number from {min} to {max}.");
}
