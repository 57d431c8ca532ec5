using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Formats.Npy;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal eval</c>: how well the model predicts given tokens.</summary>
internal static class EvalCommand
{
    public static Command Create()
    {
        var command = new Command("eval", """
            Measure how well a model predicts text: mean negative log-likelihood (nats a token) and perplexity.

            Each row of --ids is predicted alone, every token but its first. --text is tokenized and cut into rows of --context tokens.

            Examples:
              hadal eval --ids heldout_ids.npy --json
              hadal eval DeepSeek-V2-Lite --text book.txt --context 2048
            """);
        var model = new ModelOptions(command, "f32");
        var ids = new Option<FileInfo?>("--ids") { Description = "Integer .npy file, [T] or [rows, T]", HelpName = "FILE.npy" };
        var text = new Option<FileInfo?>("--text") { Description = "UTF-8 text file", HelpName = "FILE" };
        var context = new Option<int>("--context") { Description = "Tokens a row of --text", DefaultValueFactory = _ => 512, HelpName = "TOKENS" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (Option option in new Option[] { ids, text, context, json })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, ct) => Task.FromResult(
            Run(parsed, model, parsed.GetValue(ids), parsed.GetValue(text), parsed.GetValue(context), parsed.GetValue(json), ct)));
        return command;
    }

    private static int Run(ParseResult parsed, ModelOptions options, FileInfo? ids, FileInfo? text, int context, bool json, CancellationToken cancellationToken)
    {
        if ((ids is null) == (text is null))
        {
            throw new HadalException("Give one of --ids FILE.npy and --text FILE.");
        }

        using ModelSession session = ModelSession.Load(options, parsed, cancellationToken, (_, load) => load with { MaxSequences = 1 });
        string file = (ids ?? text)!.FullName;
        List<int[]> rows = ids is not null ? ReadIds(file) : ReadText(file, session, context);
        int vocab = session.Config.VocabSize;
        foreach (int[] row in rows)
        {
            if (row.Length > session.Runner.MaxContextLen)
            {
                throw new HadalException($"{file}: a row has {row.Length} tokens; the model takes {session.Runner.MaxContextLen} here (--max-context, --kv-memory).");
            }

            int wrong = Array.FindIndex(row, id => (uint)id >= (uint)vocab);
            if (wrong >= 0)
            {
                throw new HadalException($"{file}: id {row[wrong]} at position {wrong}; ids of {session.Name} go from 0 to {vocab - 1}.");
            }
        }

        var clock = Stopwatch.StartNew();
        double total = 0;
        long tokens = 0;
        var sequence = new SequenceLogits(session.Runner);
        foreach (int[] row in rows)
        {
            sequence.Run(row, (from, logits) =>
            {
                for (int i = 0; i < logits.Length / vocab && from + i + 1 < row.Length; i++)
                {
                    total -= LogSoftmax.At(logits.Slice(i * vocab, vocab), row[from + i + 1]);
                    tokens++;
                }
            }, cancellationToken);
        }

        if (tokens == 0)
        {
            throw new HadalException($"{file}: no row has two tokens, so there is nothing to predict.");
        }

        double seconds = clock.Elapsed.TotalSeconds;
        var report = new EvalReport(session.Name, total / tokens, Math.Exp(total / tokens), tokens, rows.Count, seconds, tokens / seconds);
        Console.WriteLine(json
            ? JsonSerializer.Serialize(report, CliJson.Default.EvalReport)
            : $"{report.Model}: nll {report.Nll:0.00000}, perplexity {report.Perplexity:0.000} over {report.Tokens} tokens in {report.Rows} rows; {report.TokensPerSecond:0} tokens/s");
        return 0;
    }

    private static List<int[]> ReadIds(string file)
    {
        NpyArray array = NpyArray.Read(file);
        int[] all = array.ToInt32();
        if (all.Length == 0)
        {
            throw new HadalException($"{file}: is empty.");
        }

        return [.. all.Chunk(array.Shape[^1])];
    }

    private static List<int[]> ReadText(string file, ModelSession session, int context)
    {
        if (context < 2)
        {
            throw new HadalException($"--context {context}: a row needs two tokens at least.");
        }

        return [.. session.RequireTokenizer().Encode(StrictText.Read(file)).Chunk(context)];
    }
}
