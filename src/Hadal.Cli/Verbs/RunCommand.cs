using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal run</c>: answer a prompt, or chat in the terminal.</summary>
internal static class RunCommand
{
    public static Command Create(Interrupts interrupts)
    {
        var command = new Command("run", """
            Answer a prompt, or chat when there is none. The answer goes to standard output as it is made; tokens a second to standard error at the end.

            A prompt is put into the model's chat template where it has one; --raw continues the text as it stands.
            In a chat, /reset forgets the conversation, and /exit or Ctrl-D ends it; Ctrl-C ends an answer.

            Examples:
              hadal run --prompt "Once upon a time" --raw --max-tokens 100
              hadal run --prompt "Tom has 3 apples and buys 4 more. How many has he?"
              hadal run DeepSeek-R1-Distill-Qwen-7B --weight-dtype int8
              echo "Tell me a story." | hadal run
            """);
        var model = new ModelOptions(command, "auto");
        var speculation = new SpeculationArguments(command);
        var sampling = new SamplingOptions(command);
        var prompt = new Option<string?>("--prompt", "-p") { Description = "The prompt; without it the text comes from standard input, or a chat begins", HelpName = "TEXT" };
        var system = new Option<string?>("--system") { Description = "System message", HelpName = "TEXT" };
        var raw = new Option<bool>("--raw") { Description = "No chat template: continue the text" };
        var json = new Option<bool>("--json") { Description = "Print the answer as JSON, with its counts and times, when it has ended" };
        foreach (Option option in new Option[] { prompt, system, raw, json })
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, ct) => RunAsync(interrupts, parsed, model, speculation, sampling, parsed.GetValue(prompt), parsed.GetValue(system), parsed.GetValue(raw), parsed.GetValue(json), ct));
        return command;
    }

    private static async Task<int> RunAsync(
        Interrupts interrupts, ParseResult parsed, ModelOptions options, SpeculationArguments speculation, SamplingOptions samplingOptions, string? prompt, string? system, bool raw, bool json, CancellationToken cancellationToken)
    {
        if (prompt is null && Console.IsInputRedirected)
        {
            prompt = await StrictText.ReadStandardInputAsync(cancellationToken).ConfigureAwait(false);
            if (prompt.Length == 0)
            {
                throw new HadalException("Standard input is empty. Give --prompt TEXT, or a text on standard input.");
            }
        }

        await using EngineSession session = EngineSession.Load(
            options, speculation, lora: null, parsed, new EngineOptions { MaxRunning = 1, MaxQueue = 1, MaxBatchedTokens = options.OnCard(parsed) ? 2048 : 512 }, maxSequences: 1, cancellationToken);
        SamplingParams sampling = samplingOptions.Params(parsed, session.Config);
        bool template = !raw && session.Template is not null;
        if (system is not null && !template)
        {
            throw new HadalException("--system needs a chat template; this model has none, or --raw leaves it out.");
        }

        if (prompt is not null)
        {
            int[] tokens = Tokens(session, NewConversation(system), prompt, template);
            Answer answer = await AnswerAsync(session, tokens, sampling, show: !json, cancellationToken).ConfigureAwait(false);
            if (json)
            {
                Console.WriteLine(JsonSerializer.Serialize(answer.Report(session.Name), CliJson.Default.RunReport));
            }
            else
            {
                Console.WriteLine();
                Summary(answer);
            }

            return answer.Reason == FinishReason.Cancelled ? interrupts.ExitCode : 0;
        }

        if (!template)
        {
            throw new HadalException("A chat needs a chat template; this model has none, or --raw leaves it out. Give --prompt TEXT.");
        }

        return await ChatAsync(interrupts, session, system, sampling, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<int> ChatAsync(Interrupts interrupts, EngineSession session, string? system, SamplingParams sampling, CancellationToken cancellationToken)
    {
        Terminal.Note($"{session.Name}. /reset forgets the conversation, /exit or Ctrl-D ends it, Ctrl-C ends an answer.");
        JsonArray conversation = NewConversation(system);
        while (true)
        {
            await Console.Error.WriteAsync("> ").ConfigureAwait(false);
            string? line;
            // Reading a terminal cannot be cancelled.
            using (interrupts.Redirect(() => Environment.Exit(130)))
            {
                line = await Console.In.ReadLineAsync(cancellationToken).ConfigureAwait(false);
            }

            switch (line?.Trim())
            {
                case null or "/exit" or "/quit":
                    return 0;
                case "":
                    continue;
                case "/reset":
                    conversation = NewConversation(system);
                    continue;
            }

            int[] tokens = Tokens(session, conversation, line, template: true);
            if (tokens.Length >= session.Engine.MaxContextLen)
            {
                Terminal.Error($"The conversation has {tokens.Length} tokens and the context holds {session.Engine.MaxContextLen}: /reset, or raise --max-context.");
                conversation.RemoveAt(conversation.Count - 1);
                continue;
            }

            using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Answer answer;
            using (interrupts.Redirect(interrupt.Cancel))
            {
                answer = await AnswerAsync(session, tokens, sampling, show: true, interrupt.Token).ConfigureAwait(false);
            }

            Console.WriteLine();
            Summary(answer);
            // Told to end, not just to stop answering.
            cancellationToken.ThrowIfCancellationRequested();
            Append(conversation, Message("assistant", answer.Text));
        }
    }

    private static JsonArray NewConversation(string? system)
        => system is null ? [] : new JsonArray(Message("system", system));

    // By its base type: JsonArray's generic Add would go through reflection.
    private static void Append(JsonArray conversation, JsonNode message) => conversation.Add(message);

    private static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    /// <summary>Adds the prompt to the conversation and renders it.</summary>
    private static int[] Tokens(EngineSession session, JsonArray conversation, string prompt, bool template)
    {
        if (!template)
        {
            int[] plain = session.Tokenizer.Encode(prompt, addSpecialTokens: true);
            return plain.Length > 0 ? plain : throw new HadalException("The prompt is empty.");
        }

        Append(conversation, Message("user", prompt));
        return session.Tokenizer.Encode(session.Template!.Render(conversation, addGenerationPrompt: true));
    }

    private static async Task<Answer> AnswerAsync(EngineSession session, int[] tokens, SamplingParams sampling, bool show, CancellationToken cancellationToken)
    {
        var text = new System.Text.StringBuilder();
        long start = Stopwatch.GetTimestamp();
        // By the engine's clock: events pile up while a consumer is late, and would seem to have come all at once.
        TimeSpan first = default;
        TimeSpan last = default;
        int generated = 0;
        TokenUsage usage = default;
        FinishReason reason = FinishReason.Cancelled;
        try
        {
            var request = new GenerationRequest { Id = "run", PromptTokens = tokens, Sampling = sampling };
            await foreach (GenerationEvent e in session.Engine.GenerateAsync(request, cancellationToken).ConfigureAwait(false))
            {
                last = Stopwatch.GetElapsedTime(start, e.Timestamp);
                if (generated == 0)
                {
                    first = last;
                }

                usage = e.Usage;
                generated = usage.CompletionTokens;
                string shown = WithoutEndTokens(session, e);
                text.Append(shown);
                if (show)
                {
                    await Console.Out.WriteAsync(shown).ConfigureAwait(false);
                }

                if (e.Error is { } error)
                {
                    throw new HadalException($"The model failed: {error}");
                }

                reason = e.FinishReason ?? reason;
            }
        }
        catch (OperationCanceledException)
        {
            reason = FinishReason.Cancelled;
        }

        return new Answer(text.ToString(), tokens.Length, generated, first, last, reason, usage.AcceptedPredictionTokens, usage.RejectedPredictionTokens);
    }

    // Special tokens are shown for the sake of markers; the one that ends the answer is none.
    private static string WithoutEndTokens(EngineSession session, GenerationEvent e)
    {
        if (e.FinishReason != FinishReason.Stop || e.StopString is not null || !session.EosTokenIds.Contains(e.TokenId))
        {
            return e.Text;
        }

        string end = session.Tokenizer.Decode([e.TokenId]);
        return end.Length > 0 && e.Text.EndsWith(end, StringComparison.Ordinal) ? e.Text[..^end.Length] : e.Text;
    }

    private static void Summary(Answer a)
    {
        string rate = a.TokensPerSecond is { } r ? $", {r:0.0} tokens/s" : "";
        string guesses = a.Accepted + a.Rejected > 0 ? $", {a.Accepted} of {a.Accepted + a.Rejected} guesses right" : "";
        string end = a.Reason switch
        {
            FinishReason.Length => "; ended at the length limit",
            FinishReason.Cancelled => "; interrupted",
            _ => "",
        };
        Terminal.Note($"[{a.PromptTokens} prompt tokens, first token after {a.First.TotalMilliseconds:0} ms, {a.Generated} tokens{rate}{guesses}{end}]");
    }

    private sealed record Answer(string Text, int PromptTokens, int Generated, TimeSpan First, TimeSpan Last, FinishReason Reason, int Accepted, int Rejected)
    {
        /// <summary>Of the tokens after the first.</summary>
        public double? TokensPerSecond => Generated > 1 && Last > First ? (Generated - 1) / (Last - First).TotalSeconds : null;

        public RunReport Report(string model) => new(
            model, Text, Reason.ToString().ToLowerInvariant(), PromptTokens, Generated, First.TotalMilliseconds, TokensPerSecond)
        {
            AcceptedPredictionTokens = Accepted + Rejected > 0 ? Accepted : null,
            RejectedPredictionTokens = Accepted + Rejected > 0 ? Rejected : null,
        };
    }
}
