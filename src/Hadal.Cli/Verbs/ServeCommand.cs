using System.CommandLine;
using System.Net;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Numerics;
using Hadal.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal serve</c>: the OpenAI-compatible server.</summary>
internal static class ServeCommand
{
    private const int DefaultRunning = 64, DefaultBudget = 512;
    private const int DefaultCardBudget = 2048;

    public static Command Create(Interrupts interrupts)
    {
        var command = new Command("serve", """
            Serve a model over HTTP, in the shape of the OpenAI API: /v1/chat/completions, /v1/completions, /v1/models, /tokenize, /detokenize, /health, /metrics.

            Listens on 127.0.0.1 unless --host says otherwise. Ctrl-C or SIGTERM lets running answers end, for --drain seconds at most.

            Examples:
              hadal serve
              hadal serve DeepSeek-R1-Distill-Qwen-7B --weight-dtype int8 --port 9000 --max-running 32
              curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \
                -d '{"model": "hadal-demo", "messages": [{"role": "user", "content": "Tell me a story."}], "stream": true}'
            """);
        var model = new ModelOptions(command, "auto");
        var host = new Option<string>("--host") { Description = "Address to listen on", DefaultValueFactory = _ => "127.0.0.1", HelpName = "ADDRESS" };
        var port = new Option<int>("--port") { Description = "Port; 0 for any free one", DefaultValueFactory = _ => 8000, HelpName = "PORT" };
        var name = new Option<string?>("--model-name") { Description = "What clients call the model; by default the folder's or file's name", HelpName = "NAME" };
        var keys = new Option<FileInfo?>("--api-keys") { Description = "File of API keys, one a line; every route but /health then asks for one", HelpName = "FILE" };
        var running = new Option<int>("--max-running") { Description = "Answers made at once", DefaultValueFactory = _ => DefaultRunning, HelpName = "N" };
        var queue = new Option<int>("--max-queue") { Description = "Requests that may wait; beyond it they get 429", DefaultValueFactory = _ => 1024, HelpName = "N" };
        var budget = new Option<int?>("--max-batched-tokens") { Description = $"Tokens computed in one step, prompts and answers together; by default {DefaultBudget}, on a card {DefaultCardBudget:#,0}, and no less than --max-running", HelpName = "N" };
        var noPrefix = new Option<bool>("--no-prefix-cache") { Description = "Do not share pages of equal prompt beginnings among requests" };
        var reasoning = new Option<ReasoningMode>("--reasoning") { Description = "auto: what stands in <think>…</think> becomes reasoning_content; off: it stays in the text", DefaultValueFactory = _ => ReasoningMode.Auto };
        var drain = new Option<int>("--drain") { Description = "Seconds that running answers may take once the server is told to stop", DefaultValueFactory = _ => 30, HelpName = "SECONDS" };
        var verbose = new Option<bool>("--verbose") { Description = "Log every request (never prompts, answers or keys)" };
        port.InRange(0, 65535);
        running.InRange(1, 65536);
        queue.InRange(1);
        budget.InRange(1);
        drain.InRange(0, 86400);
        host.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var address }] && address is not ("*" or "localhost") && !IPAddress.TryParse(address, out _))
            {
                result.AddError($"--host {address}: expected an IP address, localhost, or * for all");
            }
        });
        command.Validators.Add(result =>
        {
            if (result.Errors.Any())
            {
                return;
            }

            // Here an option that was not given has no value, not its default.
            int answers = result.GetResult(running) is null ? DefaultRunning : result.GetValue(running);
            if (result.GetResult(budget) is not null && result.GetValue(budget) is { } tokens && tokens < answers)
            {
                result.AddError($"--max-batched-tokens {tokens} is less than --max-running {answers}: some answers would never get a token");
            }

            if (result.GetValue(host) == "localhost" && result.GetResult(port) is not null && result.GetValue(port) == 0)
            {
                result.AddError("--port 0 needs an IP address as --host: localhost is two addresses, which would get different ports");
            }
        });
        foreach (Option option in new Option[] { host, port, name, keys, running, queue, budget, noPrefix, reasoning, drain, verbose })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, ct) => ServeAsync(
            interrupts,
            parsed,
            model,
            new HadalServerOptions
            {
                Host = parsed.GetValue(host)!,
                Port = parsed.GetValue(port),
                ApiKeys = ReadKeys(parsed.GetValue(keys)),
                Reasoning = parsed.GetValue(reasoning),
                DrainTimeout = TimeSpan.FromSeconds(parsed.GetValue(drain)),
            },
            new EngineOptions
            {
                MaxRunning = parsed.GetValue(running),
                MaxQueue = parsed.GetValue(queue),
                MaxBatchedTokens = parsed.GetValue(budget) ?? Math.Max(model.OnCard(parsed) ? DefaultCardBudget : DefaultBudget, parsed.GetValue(running)),
                EnablePrefixCaching = !parsed.GetValue(noPrefix),
            },
            parsed.GetValue(name),
            parsed.GetValue(verbose),
            ct));
        return command;
    }

    private static async Task<int> ServeAsync(
        Interrupts interrupts, ParseResult parsed, ModelOptions options, HadalServerOptions server, EngineOptions engine, string? name, bool verbose, CancellationToken cancellationToken)
    {
        using ILoggerFactory loggers = LoggerFactory.Create(builder => builder
            .SetMinimumLevel(verbose ? LogLevel.Debug : LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.TimestampFormat = "HH:mm:ss ";
            }));
        await using var session = new EngineSession(
            ModelSession.Load(options, parsed, cancellationToken, (_, load) => load with { MaxSequences = engine.MaxRunning }),
            engine with { Logger = loggers.CreateLogger("Hadal.Engine") });
        Terminal.Note($"{session.Name}: context {session.Engine.MaxContextLen} tokens, KV pages for {session.KvTokens} tokens");
        var served = new ServedModel
        {
            Id = name ?? session.Name,
            Engine = session.Engine,
            Tokenizer = session.Tokenizer,
            ChatTemplate = session.Template,
            Config = session.Config,
            Created = TimeProvider.System.GetUtcNow(),
            ReasoningMarkers = ReasoningMarkers.Detect(session.Tokenizer, session.Template),
        };
        await using WebApplication app = HadalServer.Build(
            server with
            {
                DefaultTemperature = session.Config.DefaultTemperature,
                DefaultTopP = session.Config.DefaultTopP,
                DefaultTopK = session.Config.DefaultTopK,
            },
            [served],
            loggers);
        // Ctrl-C and SIGTERM end this token; the application then lets answers end, for the time it was given.
        interrupts.Grace = Timeout.InfiniteTimeSpan;
        await app.RunAsync(cancellationToken).ConfigureAwait(false);
        return 0;
    }

    private static string[] ReadKeys(FileInfo? file)
    {
        if (file is null)
        {
            return [];
        }

        string[] keys = StrictText.Read(file.FullName).Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        // Without keys the server would be open to all, which is not what whoever names a file of keys wants.
        return keys.Length > 0 ? keys : throw new HadalException($"--api-keys {file.FullName}: holds no key; expected one a line.");
    }
}
