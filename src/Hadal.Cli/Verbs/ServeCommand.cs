using System.CommandLine;
using System.Net;
using Hadal.Cli.Canary;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Formats.Chat.Tools;
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
            Serve models over HTTP, in the shape of the OpenAI API: /v1/chat/completions, /v1/completions, /v1/embeddings, /v1/models, /tokenize, /detokenize, /health, /metrics.

            Listens on 127.0.0.1 unless --host says otherwise, which needs API keys. Several models are each loaded when first asked for. Ctrl-C or SIGTERM lets running answers end, for --drain seconds at most.

            Examples:
              hadal serve
              hadal serve DeepSeek-R1-Distill-Qwen-7B --weight-dtype int8 --port 9000 --max-running 32
              hadal serve models/A models/B --idle-unload 10m --api-keys server.keys --host '*'
              curl http://127.0.0.1:8000/v1/chat/completions -H 'Content-Type: application/json' \
                -d '{"model": "hadal-demo", "messages": [{"role": "user", "content": "Tell me a story."}], "stream": true}'
            """);
        var model = new ModelOptions(command, "auto");
        var lora = new LoraOption(command);
        var canary = new StartUpCanary(command, model);
        var speculation = new SpeculationArguments(command);
        var host = new Option<string>("--host") { Description = "Address to listen on", DefaultValueFactory = _ => "127.0.0.1", HelpName = "ADDRESS" };
        var port = new Option<int>("--port") { Description = "Port; 0 for any free one", DefaultValueFactory = _ => 8000, HelpName = "PORT" };
        var more = new Argument<string[]>("MORE") { Description = "Further models; each is then loaded when it is first asked for (hadal-demo is the bundled one)", Arity = ArgumentArity.ZeroOrMore };
        var name = new Option<string[]>("--model-name") { Description = "What clients call the model; by default the folder's or file's name. Given several times, the first is for the first model, and so on", HelpName = "NAME" };
        var running = new Option<int>("--max-running") { Description = "Answers made at once", DefaultValueFactory = _ => DefaultRunning, HelpName = "N" };
        var queue = new Option<int>("--max-queue") { Description = "Requests that may wait; beyond it they get 429", DefaultValueFactory = _ => 1024, HelpName = "N" };
        var budget = new Option<int?>("--max-batched-tokens") { Description = $"Tokens computed in one step, prompts and answers together; by default {DefaultBudget}, on a card {DefaultCardBudget:#,0}, and no less than --max-running", HelpName = "N" };
        var noPrefix = new Option<bool>("--no-prefix-cache") { Description = "Do not share pages of equal prompt beginnings among requests" };
        var reasoning = new Option<ReasoningMode>("--reasoning") { Description = "auto: what stands in <think>…</think> becomes reasoning_content; off: it stays in the text", DefaultValueFactory = _ => ReasoningMode.Auto };
        var pooling = new Option<Pooling>("--embedding-pooling") { Description = "What /v1/embeddings makes of the tokens' hidden states unless a request says: their mean, or the last one", DefaultValueFactory = _ => Pooling.Mean };
        var toolParser = new Option<string>("--tool-call-parser") { Description = "How the model writes tool calls; auto: as its template and vocabulary show", DefaultValueFactory = _ => "auto", HelpName = "NAME" };
        toolParser.AcceptOnlyFromAmong(["auto", "none", .. ToolCallFormat.All.Select(format => format.Name)]);
        var drain = new Option<int>("--drain") { Description = "Seconds that running answers may take once the server is told to stop", DefaultValueFactory = _ => 30, HelpName = "SECONDS" };
        var verbose = new Option<bool>("--verbose") { Description = "Log every request (never prompts, answers or keys)" };
        command.Arguments.Add(more);
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

            int models = 1 + (result.GetValue(more)?.Length ?? 0);
            if (result.GetValue(name) is { } names && names.Length > models)
            {
                result.AddError($"--model-name is given {names.Length} times, for {models} model{(models == 1 ? "" : "s")}");
            }

            if (result.GetValue(host) == "localhost" && result.GetResult(port) is not null && result.GetValue(port) == 0)
            {
                result.AddError("--port 0 needs an IP address as --host: localhost is two addresses, which would get different ports");
            }
        });
        foreach (Option option in new Option[] { host, port, name, running, queue, budget, noPrefix, reasoning, toolParser, pooling, drain, verbose })
        {
            command.Options.Add(option);
        }

        var access = new ServeOptions(command);
        command.SetAction((parsed, ct) => ServeAsync(
            interrupts,
            parsed,
            model,
            lora,
            canary,
            speculation,
            access.Apply(parsed, new HadalServerOptions
            {
                Host = parsed.GetValue(host)!,
                Port = parsed.GetValue(port),
                Reasoning = parsed.GetValue(reasoning),
                EmbeddingPooling = parsed.GetValue(pooling),
                DrainTimeout = TimeSpan.FromSeconds(parsed.GetValue(drain)),
            }),
            new EngineOptions
            {
                MaxRunning = parsed.GetValue(running),
                MaxQueue = parsed.GetValue(queue),
                MaxBatchedTokens = parsed.GetValue(budget) ?? Math.Max(model.OnCard(parsed) ? DefaultCardBudget : DefaultBudget, parsed.GetValue(running)),
                EnablePrefixCaching = !parsed.GetValue(noPrefix),
            },
            parsed.GetValue(more) ?? [],
            parsed.GetValue(name) ?? [],
            parsed.GetValue(toolParser)!,
            parsed.GetValue(verbose),
            ct));
        return command;
    }

    private static async Task<int> ServeAsync(
        Interrupts interrupts, ParseResult parsed, ModelOptions options, LoraOption lora, StartUpCanary canary, SpeculationArguments speculation, HadalServerOptions server, EngineOptions engine, string[] more, string[] names, string toolParser, bool verbose, CancellationToken cancellationToken)
    {
        server.Check();
        using ILoggerFactory loggers = LoggerFactory.Create(builder => builder
            .SetMinimumLevel(verbose ? LogLevel.Debug : LogLevel.Information)
            .AddFilter("Microsoft", LogLevel.Warning)
            .AddSimpleConsole(console =>
            {
                console.SingleLine = true;
                console.TimestampFormat = "HH:mm:ss ";
            }));
        var models = new ServedModelLoader(options, lora, canary, speculation, toolParser, parsed, engine with { Logger = loggers.CreateLogger("Hadal.Engine") }, cancellationToken);
        if (more.Length > 0 || server.IdleUnload is not null)
        {
            if (lora.IsGiven(parsed) || (more.Length > 0 && canary.HasFile(parsed)))
            {
                throw new HadalException("--lora, and a fingerprint for --canary, belong to one model that stays loaded; leave out the further models and --idle-unload, or those.");
            }

            string?[] paths = [options.Model(parsed), .. more];
            ModelSource[] sources = [.. paths.Select((path, i) => models.Later(path, i < names.Length ? names[i] : null))];
            await using WebApplication several = HadalServer.Build(server, sources, loggers);
            return await RunAsync(several, interrupts, cancellationToken).ConfigureAwait(false);
        }

        await using EngineSession session = models.Load(path: null);
        ServedModel served = ServedModels.Of(session, names is [var name, ..] ? name : null, toolParser);
        await using WebApplication app = HadalServer.Build(server, [served, .. session.Engine.Adapters.Select(served.WithAdapter)], loggers);
        return await RunAsync(app, interrupts, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<int> RunAsync(WebApplication app, Interrupts interrupts, CancellationToken cancellationToken)
    {
        // Ctrl-C and SIGTERM end this token; the application then lets answers end, for the time it was given.
        interrupts.Grace = Timeout.InfiniteTimeSpan;
        await app.RunAsync(cancellationToken).ConfigureAwait(false);
        return 0;
    }
}
