using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text.Json;
using Hadal.Cli.Bench.Serving;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal bench serve</c>: load on any OpenAI-compatible server, and what it does to latencies.</summary>
internal static class BenchServeCommand
{
    private const string KeyVariable = "HADAL_API_KEY";
    private const int DefaultPrompts = 100, DefaultLen = 128;

    public static Command Create(Interrupts interrupts)
    {
        var command = new Command("serve", $"""
            Put load on an OpenAI-compatible server and measure TTFT, TPOT, ITL and end-to-end latency, tokens a second and goodput.

            With --request-rate requests arrive at that rate, however slow the server is (open loop); without it as many run as
            --max-concurrency allows, and each end begins the next (closed loop). The result is JSON on standard output, or in the file
            --json names; a table goes to standard error. Ctrl-C ends the load early and gives what was measured until then, marked as partial.
            The exit code is 1 where a request failed. docs/bench-serve.md says what is measured how.

            Examples:
              hadal bench serve --max-concurrency 16 --num-prompts 200
              hadal bench serve --base-url http://127.0.0.1:8000 --request-rate 4 --goodput ttft:500 tpot:50 --json result.json
              hadal bench serve --dataset sharegpt-jsonl --dataset-path talks.jsonl --request-rate 2 --burstiness 0.5 --duration 60
            """);
        var baseUrl = new Option<string>("--base-url") { Description = "The server, with or without /v1", DefaultValueFactory = _ => "http://127.0.0.1:8000", HelpName = "URL" };
        var endpoint = new Option<string>("--endpoint") { Description = "chat or completions", DefaultValueFactory = _ => "chat", HelpName = "NAME" };
        var model = new Option<string?>("--model") { Description = "By default the first one the server lists", HelpName = "NAME" };
        var key = new Option<string?>("--api-key") { Description = $"By default what the variable {KeyVariable} holds, which other users of this machine cannot read", HelpName = "KEY" };
        var dataset = new Option<string>("--dataset") { Description = "random: words, as many as give --input-len tokens; sharegpt-jsonl: conversations from --dataset-path", DefaultValueFactory = _ => "random", HelpName = "NAME" };
        var datasetPath = new Option<string?>("--dataset-path") { Description = "A file of conversations, one JSON object a line", HelpName = "FILE" };
        var inputLen = new Option<int>("--input-len") { Description = "Tokens of a random prompt, template included", DefaultValueFactory = _ => DefaultLen, HelpName = "TOKENS" };
        var outputLen = new Option<int?>("--output-len") { Description = $"Tokens of an answer; by default {DefaultLen}, for sharegpt-jsonl those of the recorded answer", HelpName = "TOKENS" };
        var range = new Option<double>("--range-ratio") { Description = "Random lengths lie between (1 - R) and (1 + R) of those given", DefaultValueFactory = _ => 0, HelpName = "R" };
        var shared = new Option<int>("--shared-prefix-len") { Description = "Of a random prompt, so many tokens are the same for all", DefaultValueFactory = _ => 0, HelpName = "TOKENS" };
        var prompts = new Option<int?>("--num-prompts") { Description = $"Requests; by default {DefaultPrompts}, with --duration as many as come", HelpName = "N" };
        var duration = new Option<double?>("--duration") { Description = "Begin no request after so many seconds", HelpName = "SECONDS" };
        var rate = new Option<double>("--request-rate") { Description = "Arrivals a second of an open loop; inf for a closed one", DefaultValueFactory = _ => double.PositiveInfinity, CustomParser = Rate, HelpName = "R" };
        var burstiness = new Option<double>("--burstiness") { Description = "Shape of the gamma distribution between arrivals: 1 is Poisson, less comes in bursts", DefaultValueFactory = _ => 1, HelpName = "B" };
        var concurrency = new Option<int?>("--max-concurrency") { Description = "Requests that run at once at the most", HelpName = "N" };
        var goodput = new Option<string[]>("--goodput") { Description = $"Targets in milliseconds that make a request good: {SloTargets.Syntax}", AllowMultipleArgumentsPerToken = true, HelpName = "NAME:MS …" };
        var percentiles = new Option<double[]>("--percentiles") { Description = "Which to report", DefaultValueFactory = _ => [50, 90, 95, 99], CustomParser = Percentiles, HelpName = "P,…" };
        var temperature = new Option<double>("--temperature") { Description = "Of every request", DefaultValueFactory = _ => 0, HelpName = "T" };
        var ignoreEos = new Option<bool?>("--ignore-eos") { Description = "Answers go on to their full length; by default so with --dataset random", HelpName = "true|false" };
        var extra = new Option<string?>("--extra-body") { Description = "A JSON object of further fields for every request", HelpName = "JSON" };
        var timeout = new Option<double>("--timeout") { Description = "Seconds a request may take", DefaultValueFactory = _ => 600, HelpName = "SECONDS" };
        var seed = new Option<int>("--seed") { Description = "Of prompts and arrivals", DefaultValueFactory = _ => 0, HelpName = "N" };
        var json = new Option<FileInfo?>("--json") { Description = "Write the result there", HelpName = "FILE" };

        endpoint.OneOf("chat", "completions");
        dataset.OneOf("random", "sharegpt-jsonl");
        inputLen.InRange(1, 1 << 24);
        outputLen.InRange(1, 1 << 24);
        shared.InRange(0, 1 << 24);
        prompts.InRange(1);
        concurrency.InRange(1, 1 << 20);
        range.InRange(0.0, 0.99);
        duration.InRange(1e-3, 1e7);
        burstiness.InRange(1e-3, 1e6);
        temperature.InRange(0.0, 100.0);
        timeout.InRange(1e-3, 1e6);
        baseUrl.Validators.Add(result =>
        {
            foreach (System.CommandLine.Parsing.Token token in result.Tokens)
            {
                if (!Uri.TryCreate(token.Value, UriKind.Absolute, out Uri? url) || url.Scheme is not ("http" or "https") || url.UserInfo.Length > 0)
                {
                    result.AddError($"--base-url {token.Value}: expected http://HOST:PORT or https://HOST:PORT");
                }
            }
        });
        goodput.Validators.Add(result =>
        {
            SloTargets.Parse([.. result.Tokens.Select(t => t.Value)], out string? error);
            if (error is not null)
            {
                result.AddError($"--goodput {error}");
            }
        });
        command.Validators.Add(result =>
        {
            if (result.Errors.Any())
            {
                return;
            }

            bool isRandom = result.GetValue(dataset) is null or "random";
            if (isRandom != (result.GetValue(datasetPath) is null))
            {
                result.AddError(isRandom ? "--dataset-path is for --dataset sharegpt-jsonl" : "--dataset sharegpt-jsonl needs --dataset-path FILE");
            }

            if (result.GetResult(duration) is not null && result.GetResult(rate) is null && result.GetResult(concurrency) is null)
            {
                result.AddError("--duration needs --request-rate or --max-concurrency: else there is no end to requests at once");
            }
        });
        foreach (Option option in new Option[]
        {
            baseUrl, endpoint, model, key, dataset, datasetPath, inputLen, outputLen, range, shared, prompts, duration, rate, burstiness, concurrency, goodput, percentiles, temperature, ignoreEos, extra, timeout,
            seed, json,
        })
        {
            command.Options.Add(option);
        }

        command.SetAction(async (parsed, ct) =>
        {
            bool isRandom = parsed.GetValue(dataset) == "random";
            string apiKey = parsed.GetValue(key) ?? Environment.GetEnvironmentVariable(KeyVariable) ?? "";
            using JsonDocument? body = ExtraBody(parsed.GetValue(extra));
            var plan = new LoadPlan
            {
                BaseUrl = WithVersion(new Uri(parsed.GetValue(baseUrl)!)),
                ApiKey = apiKey.Length > 0 ? apiKey : null,
                Model = parsed.GetValue(model) ?? "",
                IsChat = parsed.GetValue(endpoint) == "chat",
                NumPrompts = parsed.GetValue(prompts) ?? (parsed.GetValue(duration) is null ? DefaultPrompts : null),
                Duration = parsed.GetValue(duration) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                RequestRate = parsed.GetValue(rate),
                Burstiness = parsed.GetValue(burstiness),
                MaxConcurrency = parsed.GetValue(concurrency),
                Timeout = TimeSpan.FromSeconds(parsed.GetValue(timeout)),
                Temperature = parsed.GetValue(temperature),
                IgnoreEos = parsed.GetValue(ignoreEos) ?? isRandom,
                ExtraBody = body?.RootElement,
                Seed = parsed.GetValue(seed),
            };
            var settings = new ServeSettings
            {
                BaseUrl = plan.BaseUrl.AbsoluteUri,
                Endpoint = parsed.GetValue(endpoint)!,
                Model = plan.Model,
                Dataset = parsed.GetValue(dataset)!,
                InputLen = isRandom ? parsed.GetValue(inputLen) : null,
                OutputLen = parsed.GetValue(outputLen) ?? (isRandom ? DefaultLen : null),
                RangeRatio = isRandom ? parsed.GetValue(range) : null,
                SharedPrefixLen = isRandom ? parsed.GetValue(shared) : null,
                NumPrompts = plan.NumPrompts,
                DurationSeconds = plan.Duration?.TotalSeconds,
                Loop = double.IsFinite(plan.RequestRate) ? "open" : "closed",
                RequestRate = double.IsFinite(plan.RequestRate) ? plan.RequestRate : null,
                Burstiness = double.IsFinite(plan.RequestRate) ? plan.Burstiness : null,
                MaxConcurrency = plan.MaxConcurrency,
                Temperature = plan.Temperature,
                IgnoreEos = plan.IgnoreEos,
                Goodput = SloTargets.Parse(parsed.GetValue(goodput) ?? [], out _),
                TimeoutSeconds = plan.Timeout.TotalSeconds,
                Seed = plan.Seed,
            };
            return await RunAsync(interrupts, plan, settings, parsed.GetValue(datasetPath), parsed.GetValue(percentiles)!, parsed.GetValue(json), parsed.GetValue(key), ct).ConfigureAwait(false);
        });
        return command;
    }

    private static async Task<int> RunAsync(
        Interrupts interrupts, LoadPlan plan, ServeSettings settings, string? datasetPath, double[] percentiles, FileInfo? json, string? keyGiven, CancellationToken cancellationToken)
    {
        // A result that cannot be kept is found out now, not after an hour of load.
        using FileStream? file = json?.Open(FileMode.Create, FileAccess.Write);
        DateTimeOffset started = TimeProvider.System.GetUtcNow();
        (string name, string? server) = await FindModelAsync(plan, cancellationToken).ConfigureAwait(false);
        plan = plan with { Model = name };
        using var client = new CompletionClient(plan);
        TokensPerWord cost = await MeasureWordsAsync(client, settings.InputLen ?? DefaultLen, plan.Seed, cancellationToken).ConfigureAwait(false);
        IPromptSource source = datasetPath is null
            ? new RandomPrompts(plan.Seed, cost, settings.InputLen!.Value, settings.OutputLen!.Value, settings.RangeRatio!.Value, settings.SharedPrefixLen!.Value)
            : ConversationPrompts.Read(datasetPath, settings.OutputLen, cost, plan.Seed);
        settings = settings with { Model = name, TokensPerWord = cost.Slope };

        // From here on an interruption ends the load and not the command.
        TimeSpan cpuBefore = CpuTime();
        var load = new LoadGenerator(plan, client, source);
        IReadOnlyCollection<RequestOutcome> outcomes;
        TimeSpan duration;
        using (new LoadRunBar(load, plan))
        {
            outcomes = await load.RunAsync(cancellationToken).ConfigureAwait(false);
            duration = load.Elapsed;
        }

        ServeReport report = ServeReport.Of(
            outcomes, plan, settings.Goodput, percentiles, settings, new ServeEnvironment
            {
                Command = "hadal " + string.Join(' ', Environment.GetCommandLineArgs().Skip(1).Select(a => Hide(a, keyGiven))),
                Version = typeof(BenchServeCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
                Started = started,
                Machine = MachineName.Describe(),
                Runtime = RuntimeInformation.FrameworkDescription,
                Server = server,
            },
            duration, load.Peak, CpuTime() - cpuBefore, isPartial: cancellationToken.IsCancellationRequested);
        if (file is not null)
        {
            JsonSerializer.Serialize(file, report, CliJson.Default.ServeReport);
            file.WriteByte((byte)'\n');
        }
        else
        {
            Console.WriteLine(JsonSerializer.Serialize(report, CliJson.Default.ServeReport));
        }

        await Console.Error.WriteAsync(report.ToTable()).ConfigureAwait(false);
        if (report.IsPartial)
        {
            return interrupts.ExitCode;
        }

        if (report.NumFailed > 0)
        {
            Terminal.Error($"{report.NumFailed} of {report.NumRequests} requests failed; errors by kind are in the result.");
            return 1;
        }

        return 0;
    }

    private static string Hide(string argument, string? key) => string.IsNullOrEmpty(key) ? argument : argument.Replace(key, "…", StringComparison.Ordinal);

    private static TimeSpan CpuTime()
    {
        using var self = Process.GetCurrentProcess();
        return self.TotalProcessorTime;
    }

    private static Uri WithVersion(Uri url)
    {
        string path = url.AbsolutePath.TrimEnd('/');
        return new Uri(url, path.EndsWith("/v1", StringComparison.Ordinal) ? path : path + "/v1");
    }

    private static JsonDocument? ExtraBody(string? text)
    {
        if (text is null)
        {
            return null;
        }

        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(text);
        }
        catch (JsonException e)
        {
            throw new HadalException($"--extra-body: is no JSON: {e.Message}", e);
        }

        if (document.RootElement.ValueKind == JsonValueKind.Object
            && !document.RootElement.EnumerateObject().Any(p => p.Name is "model" or "messages" or "prompt" or "stream"))
        {
            return document;
        }

        document.Dispose();
        throw new HadalException("--extra-body: expected a JSON object without model, messages, prompt and stream, which have options of their own.");
    }

    private static async Task<(string Name, string? Server)> FindModelAsync(LoadPlan plan, CancellationToken cancellationToken)
    {
        Uri route = CompletionClient.Route(plan.BaseUrl, "models");
        using HttpClient http = CompletionClient.CreateHttp(plan.ApiKey);
        http.Timeout = TimeSpan.FromSeconds(30);
        try
        {
            using HttpResponseMessage response = await http.GetAsync(route, cancellationToken).ConfigureAwait(false);
            string? server = response.Headers.TryGetValues("Server", out IEnumerable<string>? values) ? string.Join(' ', values) : await VersionAsync(http, plan.BaseUrl, cancellationToken).ConfigureAwait(false);
            if (plan.Model.Length > 0)
            {
                return (plan.Model, server);
            }

            if (!response.IsSuccessStatusCode)
            {
                throw new HadalException($"{route}: answered {(int)response.StatusCode}; give --model NAME{(response.StatusCode == System.Net.HttpStatusCode.Unauthorized ? " and an API key" : "")}.");
            }

            using JsonDocument list = JsonDocument.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken).ConfigureAwait(false));
            return (list.RootElement.GetProperty("data")[0].GetProperty("id").GetString()!, server);
        }
        catch (HttpRequestException e)
        {
            throw new HadalException($"{route}: {e.Message}. Is a server running there? hadal serve starts one.", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            throw new HadalException($"{route}: lists no model; give --model NAME.", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new HadalException($"{route}: did not answer within 30 s.", e);
        }
    }

    private static async Task<string?> VersionAsync(HttpClient http, Uri baseUrl, CancellationToken cancellationToken)
    {
        try
        {
            using JsonDocument answer = JsonDocument.Parse(await http.GetByteArrayAsync(new Uri(baseUrl, "/version"), cancellationToken).ConfigureAwait(false));
            return answer.RootElement.GetProperty("version").GetString();
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException or KeyNotFoundException)
        {
            // Nobody has to have it.
            return null;
        }
    }

    private static async Task<TokensPerWord> MeasureWordsAsync(CompletionClient client, int inputTokens, int seed, CancellationToken cancellationToken)
    {
        // No more than half of what will be asked, so that no context is too short for it.
        int few = Math.Clamp(inputTokens / 8, 1, 512), many = Math.Clamp(inputTokens / 2, few + 1, 2048);
        int? tokensOfFew = await client.ProbeAsync(RandomPrompts.Sample(seed, few), cancellationToken).ConfigureAwait(false);
        int? tokensOfMany = await client.ProbeAsync(RandomPrompts.Sample(seed, many), cancellationToken).ConfigureAwait(false);
        if (tokensOfFew is { } a && tokensOfMany is { } b && TokensPerWord.Through(few, a, many, b) is { } cost)
        {
            return cost;
        }

        Terminal.Note("The server reports no usage: a word is taken for a token, and output tokens are chunks with text.");
        return TokensPerWord.Unknown;
    }

    private static double Rate(System.CommandLine.Parsing.ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (text is "inf")
        {
            return double.PositiveInfinity;
        }

        if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double rate) || !(rate > 0) || !double.IsFinite(rate))
        {
            result.AddError($"--request-rate {text}: expected requests a second, above 0, or inf");
        }

        return rate;
    }

    private static double[]? Percentiles(System.CommandLine.Parsing.ArgumentResult result)
    {
        var list = new List<double>();
        foreach (string part in string.Join(',', result.Tokens.Select(t => t.Value)).Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out double p) || !(p is >= 0 and <= 100))
            {
                result.AddError($"--percentiles {part}: expected numbers from 0 to 100, with commas between");
                return null;
            }

            list.Add(p);
        }

        return [.. list];
    }
}
