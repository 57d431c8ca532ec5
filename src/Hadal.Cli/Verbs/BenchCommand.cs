using System.CommandLine;
using System.Reflection;
using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using Hadal.Cli.Bench;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal bench</c>: tokens a second of prompts and decoding, as JSON.</summary>
internal static class BenchCommand
{
    public static Command Create(Interrupts interrupts)
    {
        var command = new Command("bench", """
            Measure tokens a second of prompts and of decoding. The result is JSON on standard output; a table goes to standard error.

            The read bandwidth of the machine is measured right before and after each decode case, since decoding is bound by it.

            Examples:
              hadal bench
              hadal bench --synthetic deepseek-r1-distill-qwen-1.5b --weight-dtype int8 --prompt 512 --decode 128
              hadal bench --synthetic deepseek-v2-lite-small --weight-dtype q4_0 --depth 16,2048
              hadal bench --speculate mtp --speculate-tokens 2 --batch 1,4 --decode 256
              hadal bench --synthetic deepseek-v2-lite --layers 8 --batch 1,4,16 --depth 0,2048
              hadal bench serve --max-concurrency 16      # load on a server: see its own --help
            """);
        var model = new ModelOptions(command, "auto");
        var prompt = new Option<int[]>("--prompt") { Description = "Prompt lengths; 0 for none", DefaultValueFactory = _ => [512], CustomParser = Ints, HelpName = "TOKENS,…" };
        var decode = new Option<int>("--decode") { Description = "Tokens to decode; 0 for none", DefaultValueFactory = _ => 64, HelpName = "TOKENS" };
        var batch = new Option<int[]>("--batch") { Description = "Sequences decoded at once", DefaultValueFactory = _ => [1], CustomParser = Ints, HelpName = "N,…" };
        var depth = new Option<int[]>("--depth") { Description = "Tokens in the pages before decoding begins", DefaultValueFactory = _ => [16], CustomParser = Ints, HelpName = "TOKENS,…" };
        var repeat = new Option<int>("--repeat") { Description = "Repetitions; the median counts", DefaultValueFactory = _ => 3, HelpName = "N" };
        var profile = new Option<bool>("--profile") { Description = "Also show where the time goes, by operation" };
        var markdown = new Option<bool>("--markdown") { Description = "Print rows of a Markdown table instead of JSON (eng/bench-cpu.sh puts the head above them)" };
        prompt.InRange(0);
        decode.InRange(0);
        batch.InRange(1, 65536);
        depth.InRange(0);
        repeat.InRange(1);
        foreach (Option option in new Option[] { prompt, decode, batch, depth, repeat, profile, markdown })
        {
            command.Options.Add(option);
        }

        var speculation = new SpeculationArguments(command);
        var prompts = new Option<FileInfo?>("--prompts") { Description = "With --speculate: prompts to answer, a JSON object with \"prompt\" on each line; with \"answer\" too, the share of right answers is counted. By default a few of our own", HelpName = "FILE.jsonl" };
        var numPrompts = new Option<int>("--num-prompts") { Description = "With --speculate: take so many of the prompts; 0 for all", HelpName = "N" };
        var temperature = new Option<float>("--temperature") { Description = "With --speculate: of sampling; 0 for the most likely token always", HelpName = "T" };
        numPrompts.InRange(0);
        command.Options.Add(prompts);
        command.Options.Add(numPrompts);
        command.Options.Add(temperature);
        var suite = new Option<string?>("--suite") { Description = "A set of cases instead of those above: h100 (needs --device cuda); prints Markdown with --markdown, else JSON", HelpName = "NAME" };
        var only = new Option<string?>("--only") { Description = $"Of the suite, these groups: {string.Join(", ", CudaSuite.Groups)}", HelpName = "GROUP,…" };
        suite.OneOf("h100");
        command.Options.Add(suite);
        command.Options.Add(only);
        command.Subcommands.Add(BenchServeCommand.Create(interrupts));
        command.SetAction((parsed, ct) => Task.FromResult(speculation.IsOn(parsed) ? SpeculateCommand.Run(
            parsed, model, speculation, parsed.GetValue(prompts), parsed.GetValue(numPrompts), parsed.GetValue(temperature), parsed.GetValue(batch)!, parsed.GetValue(decode), parsed.GetValue(repeat), ct) : parsed.GetValue(suite) is not null ? RunSuite(model, parsed, parsed.GetValue(only), parsed.GetValue(markdown), ct) : Run(
            parsed, model, parsed.GetValue(prompt)!, parsed.GetValue(decode), parsed.GetValue(batch)!, parsed.GetValue(depth)!, parsed.GetValue(repeat), parsed.GetValue(profile), parsed.GetValue(markdown), ct)));
        return command;
    }

    private static int RunSuite(ModelOptions options, ParseResult parsed, string? only, bool markdown, CancellationToken cancellationToken)
    {
        CudaOptions cuda = options.Cuda(parsed) ?? throw new HadalException("--suite h100 needs --device cuda.");
        string[] groups = only?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
        if (groups.FirstOrDefault(g => !CudaSuite.Groups.Contains(g)) is { } unknown)
        {
            throw new HadalException($"--only: there is no group '{unknown}'; there are {string.Join(", ", CudaSuite.Groups)}.");
        }

        SuiteReport report = new CudaSuite(cuda, groups, cancellationToken).Run();
        Console.Write(markdown ? report.ToMarkdown() : JsonSerializer.Serialize(report, CliJson.Default.SuiteReport) + Environment.NewLine);
        return 0;
    }

    private static int Run(ParseResult parsed, ModelOptions options, int[] prompts, int decode, int[] batches, int[] depths, int repeat, bool profile, bool markdown, CancellationToken cancellationToken)
    {
        long deepest = decode > 0 ? (long)depths.Max() + decode : 0;
        int longest = (int)Math.Min(Math.Max(prompts.Max(), deepest), int.MaxValue);
        string longestName = prompts.Max() >= deepest ? $"--prompt {prompts.Max()}" : $"--depth {depths.Max()} with --decode {decode}";
        using ModelSession session = ModelSession.Load(options, parsed, cancellationToken, (config, load) =>
        {
            int limit = Math.Min(load.MaxContextLen ?? int.MaxValue, config.MaxPositionEmbeddings);
            if (longest > limit)
            {
                string whose = limit == load.MaxContextLen ? "--max-context is" : "the model takes";
                throw new HadalException($"{longestName}: that is {longest} tokens, and {whose} {limit}.");
            }

            // Pages for what will be measured and no more: peak memory is one of the results.
            return load with
            {
                MaxContextLen = load.MaxContextLen ?? Math.Max(longest, 1),
                MaxSequences = batches.Max(),
                KvMemoryBytes = load.KvMemoryBytes ?? long.MaxValue,
            };
        });
        long pages = (long)batches.Max() * ((deepest + session.Runner.BlockSize - 1) / session.Runner.BlockSize);
        if (pages > session.Runner.NumBlocks)
        {
            throw new HadalException($"--batch {batches.Max()} with {longestName} needs {pages} KV pages and --kv-memory holds {session.Runner.NumBlocks}.");
        }

        long peak = 0;
        long bytesPerToken = DecodeBytes.PerStep(session.Runner, 1);
        session.Runner.Profile = profile ? new StepProfile() : null;
        using var bench = new ModelBench(session.Runner);
        List<BenchCase> cases = [];
        foreach (int prompt in prompts.Where(p => p > 0))
        {
            Add(bench.Prefill(prompt, repeat, cancellationToken));
        }

        foreach (int depth in depths)
        {
            foreach (int batch in batches)
            {
                if (decode > 0)
                {
                    double before = Bandwidth();
                    BenchCase c = bench.Decode(batch, depth, decode, repeat, cancellationToken);
                    double bandwidth = (before + Bandwidth()) / 2;
                    Add(c with
                    {
                        ReadBandwidth = bandwidth,
                        BandwidthShare = batch == 1 ? bytesPerToken * c.TokensPerSecond / (bandwidth * 1e9) : null,
                    });
                }
            }
        }

        peak = Math.Max(peak, ProcessMemory.PeakBytes());
        var report = new BenchReport
        {
            Model = session.Name,
            Command = "hadal " + string.Join(' ', Environment.GetCommandLineArgs().Skip(1)),
            Version = typeof(BenchCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
            Machine = MachineName.Describe(),
            Device = session.Runner.Device,
            Threads = (session.Runner as CpuModelRunner)?.Program.Pool.NumWorkers,
            InstructionSets = InstructionSets(options.Dtype(parsed) == "auto"),
            WeightDtype = options.WeightDtype(parsed),
            StoredDtypes = session.Totals(),
            Dtype = options.Dtype(parsed),
            KvDtype = options.KvDType(parsed) switch { DType.Bf16 => "bf16", DType.F8E4M3 => "fp8", _ => "f32" },
            Fusion = options.Fusion(parsed).Name,
            LoadSeconds = session.LoadTime.TotalSeconds,
            PackCacheRead = (session.Runner as CpuModelRunner)?.Program.PackCacheUse?.NumRead,
            PackCachePacked = (session.Runner as CpuModelRunner)?.Program.PackCacheUse?.NumPacked,
            WeightBytes = session.Runner.WeightBytes,
            WeightBytesPerToken = bytesPerToken,
            Cases = cases,
            PeakMemoryBytes = peak,
        };
        Console.WriteLine(markdown ? BenchTable.Rows(report) : JsonSerializer.Serialize(report, CliJson.Default.BenchReport));
        return 0;

        double Bandwidth()
        {
            // The buffer that measures the bandwidth is not the model's.
            peak = Math.Max(peak, ProcessMemory.PeakBytes());
            double gigabytes = session.Runner.MeasureReadBandwidth();
            ProcessMemory.ResetPeak();
            return gigabytes;
        }

        void Add(BenchCase c)
        {
            cases.Add(c);
            string share = c.BandwidthShare is { } s ? $"  {s:P0} of {c.ReadBandwidth:0} GB/s" : "";
            Terminal.Note($"{c.Kind,-8} batch {c.Batch,3}  depth {c.Depth,6}  {c.TokensPerSecond,9:0.0} tokens/s  {c.MillisecondsPerStep,9:0.00} ms a step{share}");
            if (session.Runner.Profile is { } times)
            {
                double total = times.Rows.Sum(r => r.Time.TotalMilliseconds);
                foreach ((string name, TimeSpan time, long count) in times.Rows)
                {
                    Terminal.Note($"    {name,-24} {time.TotalMilliseconds / total,6:P1}  {time.TotalMicroseconds / count,10:0.0} µs a call, {count} calls");
                }

                times.Clear();
            }
        }
    }

    /// <summary>What .NET compiled for and --isa allows, and what emitted kernels use beside it.</summary>
    private static string InstructionSets(bool packed)
    {
        string compiled = ProcessIsa.IsScalar ? "scalar" : Avx512F.IsSupported && ProcessIsa.Limit == IsaLevel.Avx512 ? "avx512" : Avx2.IsSupported ? "avx2" : "baseline";
        CpuFeatures features = packed ? ProcessIsa.EmittedFeatures() : CpuFeatures.None;
        return compiled + (features.Avx512Vnni ? "; emitted: avx512-vnni" : "") + (features.Avx512Bf16 ? ", avx512-bf16" : "");
    }

    private static int[]? Ints(System.CommandLine.Parsing.ArgumentResult result)
    {
        var list = new List<int>();
        foreach (string part in string.Join(',', result.Tokens.Select(t => t.Value)).Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            if (!int.TryParse(part, out int n))
            {
                result.AddError($"'{part}' is not a whole number");
                return null;
            }

            list.Add(n);
        }

        if (list.Count == 0)
        {
            result.AddError("give at least one number");
            return null;
        }

        return [.. list];
    }
}
