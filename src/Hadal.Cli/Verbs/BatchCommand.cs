using System.CommandLine;
using Hadal.Cli.Batch;
using Hadal.Cli.Jsonl;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Numerics;
using Hadal.Server;
using Hadal.Server.InProcess;
using Microsoft.Extensions.Logging;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal batch</c>: a file of requests to a file of answers.</summary>
internal static class BatchCommand
{
    public static Command Create()
    {
        var command = new Command("batch", """
            Answer a file of requests, in the OpenAI batch format. Each line {"custom_id": …, "method": "POST", "url": …, "body": …} of INPUT gives a line of OUTPUT,
            {"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error"}, in the order the answers come.
            url is /v1/chat/completions, /v1/completions or /v1/embeddings; body is what that route takes. A wrong request gets its error in its own line.

            What OUTPUT has answered already is skipped, so that a run that was ended goes on when it is started again.

            Examples:
              hadal batch requests.jsonl answers.jsonl
              hadal batch requests.jsonl answers.jsonl --model DeepSeek-R1-Distill-Qwen-7B --in-flight 128
            """);
        // Two files come first here, so that the model is an option.
        var input = new Argument<string>("INPUT") { Description = "File of requests, one a line" };
        var output = new Argument<string>("OUTPUT") { Description = "File of answers; made if it is not there" };
        command.Arguments.Add(input);
        command.Arguments.Add(output);
        var model = new ModelOptions(command, "auto", modelAsOption: true);
        var speculation = new SpeculationArguments(command);
        var lora = new LoraOption(command);
        var name = new Option<string?>("--model-name") { Description = "What requests call the model; by default the folder's or file's name", HelpName = "NAME" };
        var anyModel = new Option<bool>("--any-model") { Description = "Answer requests for whatever model with this one" };
        var inFlight = new Option<int>("--in-flight") { Description = "Requests under way at once", DefaultValueFactory = _ => 64, HelpName = "N" };
        var pooling = new Option<Pooling>("--embedding-pooling") { Description = "What embeddings are made of unless a request says: the mean of the tokens' hidden states, or the last one", DefaultValueFactory = _ => Pooling.Mean };
        inFlight.InRange(1, 4096);
        foreach (Option option in new Option[] { name, anyModel, inFlight, pooling })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, ct) => RunAsync(
            parsed, model, speculation, lora, parsed.GetValue(input)!, parsed.GetValue(output)!, parsed.GetValue(name), parsed.GetValue(anyModel), parsed.GetValue(inFlight), parsed.GetValue(pooling), ct));
        return command;
    }

    private static async Task<int> RunAsync(
        ParseResult parsed, ModelOptions options, SpeculationArguments speculation, LoraOption lora, string input, string output, string? name, bool anyModel, int inFlight, Pooling pooling, CancellationToken cancellationToken)
    {
        if (Path.GetFullPath(input) == Path.GetFullPath(output))
        {
            throw new HadalException($"INPUT and OUTPUT are both {input}; give two files.");
        }

        // Everything about the files before the model, which may take minutes to load.
        HashSet<string> ids = BatchReader.ReadIds(input, cancellationToken);
        using JsonLinesOutput file = JsonLinesOutput.Open(output);
        HashSet<string> answered = BatchOutput.ReadAnswered(file, output);
        if (file.NumTornBytes > 0)
        {
            Terminal.Note($"{output}: its last line was torn ({file.NumTornBytes} bytes); that request is sent again.");
        }

        if (answered.FirstOrDefault(id => !ids.Contains(id)) is { } stranger)
        {
            throw new HadalException($"{output}: answers custom_id \"{BatchReader.Shorten(stranger)}\", which {input} does not have: the two files do not belong together. Give another output, or move this one away.");
        }

        int left = ids.Count - answered.Count;
        if (answered.Count > 0)
        {
            Terminal.Note($"{output}: {answered.Count} of {ids.Count} requests are answered already; {left} are left.");
        }

        if (left == 0)
        {
            return 0;
        }

        using ILoggerFactory loggers = LoggerFactory.Create(builder => builder.SetMinimumLevel(LogLevel.Error).AddSimpleConsole(console => console.SingleLine = true));
        var limits = new EngineOptions { MaxRunning = Math.Min(inFlight, 64), MaxQueue = Math.Max(1024, 2 * inFlight), Logger = loggers.CreateLogger("Hadal.Engine") };
        await using EngineSession session = EngineSession.Load(options, speculation, lora, parsed, limits, limits.MaxRunning, cancellationToken);
        ServedModel served = ServedModels.Of(session, name) with { Aliases = [] };
        string[] known = [served.Id, .. session.Engine.Adapters];
        if (anyModel)
        {
            served = served with { Aliases = [.. BatchModels.Read(input).Where(m => !known.Contains(m, StringComparer.Ordinal))] };
        }

        await using InProcessApi api = await HadalServer.StartInProcessAsync(
            new HadalServerOptions
            {
                DefaultTemperature = session.Config.DefaultTemperature,
                DefaultTopP = session.Config.DefaultTopP,
                DefaultTopK = session.Config.DefaultTopK,
                EmbeddingPooling = pooling,
                DrainTimeout = TimeSpan.Zero,
            },
            [served, .. session.Engine.Adapters.Select(served.WithAdapter)],
            loggers,
            cancellationToken).ConfigureAwait(false);
        var runner = new BatchRunner((url, body, ct) => api.PostAsync(url, body, ct), inFlight);
        using var bar = new WorkProgressBar("requests", left);
        try
        {
            await runner.RunAsync(BatchReader.Read(input).Where(l => !answered.Contains(l.CustomId)), file, bar, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            bar.Dispose();
            Terminal.Note($"{output}: {runner.NumAnswered} of {left} requests answered in {bar.Elapsed.TotalSeconds:0.0} s, {runner.NumFailed} of them with an error{(runner.NumAnswered < left ? "; run the same command again for the rest" : "")}.");
        }

        return 0;
    }
}
