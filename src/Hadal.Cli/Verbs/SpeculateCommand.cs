using System.CommandLine;
using System.Reflection;
using System.Text.Json;
using Hadal.Cli.Bench;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Engine;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal bench --speculate</c>: what speculation gains and what it guesses right, over prompts.</summary>
internal static class SpeculateCommand
{
    public static int Run(
        ParseResult parsed, ModelOptions options, SpeculationArguments speculation, FileInfo? promptFile, int numPrompts, float temperature, int[] batches, int decode, int repeat, CancellationToken cancellationToken)
    {
        if (decode < 1)
        {
            throw new HadalException($"--speculate with --decode {decode}: an answer needs a token.");
        }

        using ModelSession session = ModelSession.Load(options, parsed, cancellationToken, (_, load) => speculation.Adjust(parsed, load with { MaxSequences = batches.Max() }));
        (SpeculationOptions? speculate, DraftModel? draft) = speculation.Open(parsed, options, session, cancellationToken);
        try
        {
            ITokenizer tokenizer = session.RequireTokenizer();
            IReadOnlyList<BenchPrompt> prompts = BenchPrompts.Read(promptFile, numPrompts, session);
            var bench = new SpeculationBench(session.Runner, tokenizer, EngineSession.EndTokens(session.Config, tokenizer), speculate!);
            List<SpeculationCase> cases = [];
            foreach (int batch in batches)
            {
                SpeculationCase c = bench.Run(prompts, batch, decode, temperature, repeat, cancellationToken);
                cases.Add(c);
                Note(c, speculate!);
            }

            var report = new SpeculationReport
            {
                Model = session.Name,
                Command = "hadal " + string.Join(' ', Environment.GetCommandLineArgs().Skip(1)),
                Version = typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
                Machine = MachineName.Describe(),
                Device = session.Runner.Device,
                Method = speculation.Method(parsed),
                MaxDraftTokens = speculate!.MaxDraftTokens,
                Adaptive = speculate.Adaptive,
                Relaxed = speculate.Relaxed,
                Cases = cases,
            };
            Console.WriteLine(JsonSerializer.Serialize(report, CliJson.Default.SpeculationReport));
            return 0;
        }
        finally
        {
            draft?.Runner.Dispose();
            draft?.Dispose();
        }
    }

    private static void Note(SpeculationCase c, SpeculationOptions options)
    {
        double rate = c.Drafted == 0 ? 0 : c.Accepted / (double)c.Drafted;
        string positions = string.Join(' ', c.AcceptanceByPosition.Select(a => $"{a:P0}"));
        Terminal.Note($"batch {c.Batch,3}  {c.PlainTokensPerSecond,8:0.0} tokens/s plain  {c.TokensPerSecond,8:0.0} with speculation  {c.SpeedUp:0.00}× ({c.TokensPerProcessorSecond / c.PlainTokensPerProcessorSecond:0.00}× by processor time)  accepted {c.Accepted} of {c.Drafted} ({rate:P0}; by position {positions})  {c.SameAnswers} of {c.Answers} answers the same");
        if (c.ExactMatch is { } match)
        {
            string cost = options.Relaxed is null ? "lossless" : $"relaxed {options.Relaxed}";
            Terminal.Note($"           right answers: {c.PlainExactMatch:P1} plain, {match:P1} with speculation ({cost})");
        }
    }
}
