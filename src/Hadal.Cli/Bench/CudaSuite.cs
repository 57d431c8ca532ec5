using System.Diagnostics;
using System.Reflection;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Cuda;
using Hadal.Formats.Config;
using Hadal.Graph.Cuda;
using Hadal.Graph.Ir.Ops;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;

namespace Hadal.Cli.Bench;

/// <summary>The cases of <c>hadal bench --suite h100</c>: made-up weights of true shape, on one card.</summary>
internal sealed class CudaSuite(CudaOptions options, IReadOnlyCollection<string> only, CancellationToken cancellationToken)
{
    private const int Depth = 128;
    private const int PromptTokens = 2048;
    private const int ServedRequests = 256;
    private const int ServedTokens = 1000;

    // Dense, by NVIDIA's datasheet of the H100 SXM; shares of them say what is left, not what can be had.
    private const double Bf16TeraFlops = 989;
    private const double Fp8TeraFlops = 1979;

    private const string Qwen = "deepseek-r1-distill-qwen-7b";
    private const string Lite = "deepseek-v2-lite";
    private const string FirstTokenGroup = "7b-first-token";

    private readonly List<SuiteRow> _rows = [];
    private double _bandwidth;
    private double _loadSeconds;

    /// <summary>Names of groups of cases, each with one set of weights.</summary>
    public static IReadOnlyList<string> Groups { get; } = ["7b-bf16", "7b-fp8", "7b-int8", "7b-int4", "v2-lite-bf16", "v2-lite-fp8", FirstTokenGroup];

    public SuiteReport Run()
    {
        CudaDevice? card = null;
        With("7b-bf16", Qwen, "bf16", runner =>
        {
            Decode(runner, "R1-Distill-Qwen-7B bf16, decode, batch 1", 1, 187, 200);
            Decode(runner, "R1-Distill-Qwen-7B bf16, decode, batch 64", 64, 8500, 10500);
            Prompt(runner, "R1-Distill-Qwen-7B bf16, prompt 2,048", Bf16TeraFlops, 36000, 46000);
            Idle(runner);
        });
        With("7b-fp8", Qwen, "fp8", runner =>
        {
            Decode(runner, "R1-Distill-Qwen-7B FP8, decode, batch 1", 1, 340, 390);
            Prompt(runner, "R1-Distill-Qwen-7B FP8, prompt 2,048", Fp8TeraFlops, 52000, 70000);
            double rate = ServingBench.Run(runner, ServedRequests, ServedTokens, ServedTokens, 2048, cancellationToken);
            Add(new SuiteRow("serving 256 requests at once, 1,000 in, 1,000 out, 7B FP8", rate, "tokens/s out", 10000, 15000, "", null, _loadSeconds));
        });
        With("7b-int8", Qwen, "int8", runner => Decode(runner, "R1-Distill-Qwen-7B INT8, decode, batch 1", 1, 340, 390));
        With("7b-int4", Qwen, "int4", runner => Decode(runner, "R1-Distill-Qwen-7B INT4 group 128, decode, batch 1", 1, 500, 620));
        With("v2-lite-bf16", Lite, "bf16", runner => Decode(runner, "V2-Lite bf16, decode, batch 1", 1, 350, 450));
        With("v2-lite-fp8", Lite, "fp8", runner => Decode(runner, "V2-Lite FP8, decode, batch 1", 1, 450, 600));
        FirstToken();
        card ??= CudaDriver.Devices()[options.Device];
        NvmlDevice? nvml = NvmlDevice.Find(card);
        return new SuiteReport
        {
            Suite = "h100",
            Command = "hadal " + string.Join(' ', Environment.GetCommandLineArgs().Skip(1)),
            Version = typeof(CudaSuite).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown",
            Card = $"{card.Name}, {card.MultiprocessorCount} multiprocessors, {card.TotalMemory >> 30} GiB",
            Driver = NvmlDevice.DriverVersion,
            Clocks = nvml is null ? null : $"{nvml.SmClockMHz}/{nvml.MaxSmClockMHz} and {nvml.MemoryClockMHz}/{nvml.MaxMemoryClockMHz} MHz",
            ReadBandwidthGbPerS = _bandwidth,
            Rows = _rows,
        };
    }

    private void With(string group, string shape, string weights, Action<CudaModelRunner> measure)
    {
        if (only.Count > 0 && !only.Contains(group))
        {
            return;
        }

        cancellationToken.ThrowIfCancellationRequested();
        var clock = Stopwatch.StartNew();
        ModelConfig config = SyntheticModels.Find(shape);
        using SyntheticTensors source = ModelSession.Synthesize(config, weights);
        using var bar = new LoadProgressBar();
        using LoadedModel model = ModelLoader.Load(
            config with { Fp8BlockSize = source.Fp8BlockSize },
            source,
            new LoadOptions
            {
                MaxContextLen = Math.Max(PromptTokens, 2 * ServedTokens) + Depth,
                MaxSequences = ServedRequests,
                Cuda = options with { Weights = weights == "int4" ? CudaWeightConversion.Int4 : CudaWeightConversion.AsStored },
            },
            bar,
            cancellationToken);
        _loadSeconds = clock.Elapsed.TotalSeconds;
        var runner = (CudaModelRunner)model.Runner;
        _bandwidth = Math.Max(_bandwidth, runner.MeasureReadBandwidth());
        measure(runner);
    }

    private void Decode(CudaModelRunner runner, string name, int batch, double must, double aim)
    {
        using var bench = new ModelBench(runner);
        BenchCase result = bench.Decode(batch, Depth, 128, 3, cancellationToken);
        double bytes = DecodeBytes.PerStep(runner, batch);
        double limit = batch * _bandwidth * 1e9 / bytes;
        Add(new SuiteRow(name, result.TokensPerSecond, "tokens/s", must, aim, $"bytes: {bytes / 1e9:0.00} GB a step, {limit:#,0} tokens/s", result.TokensPerSecond / limit, _loadSeconds));
    }

    private void Prompt(CudaModelRunner runner, string name, double teraFlops, double must, double aim)
    {
        using var bench = new ModelBench(runner);
        BenchCase result = bench.Prefill(PromptTokens, 5, cancellationToken);
        double operations = 2.0 * runner.Graph.Nodes.Where(n => n.Scope != "head").Sum(n => n.Op switch
        {
            LinearOp op => op.Parts.Sum(p => p.Weight.NumElements),
            GateUpOp op => op.Gate.NumElements + op.Up.NumElements,
            _ => 0L,
        });
        double limit = teraFlops * 1e12 / operations;
        Add(new SuiteRow(
            name, result.TokensPerSecond, "tokens/s", must, aim, $"operations: {operations / 1e9:0.0} GFLOP a token, {limit:#,0} tokens/s at the datasheet's {teraFlops:#,0} TFLOP/s", result.TokensPerSecond / limit, _loadSeconds));
    }

    private void Idle(CudaModelRunner runner)
    {
        // A first round captures the graphs.
        ServingBench.Run(runner, 64, Depth, 32, 2048, cancellationToken);
        runner.MeasuresIdle = true;
        ServingBench.Run(runner, 64, Depth, 512, 2048, cancellationToken);
        (double busy, double idle) = runner.BusyAndIdle();
        runner.MeasuresIdle = false;
        Add(new SuiteRow("GPU idle between steps, batch 64 (7B bf16 behind the engine)", 100 * idle / (busy + idle), "%", 3, 1, "", null, _loadSeconds));
    }

    // In processes of their own, beside nothing else on the card.
    private void FirstToken()
    {
        if (only.Count > 0 && !only.Contains(FirstTokenGroup))
        {
            return;
        }

        var clock = Stopwatch.StartNew();
        using var bench = new FirstTokenBench(SyntheticModels.Find(Qwen));
        _loadSeconds = clock.Elapsed.TotalSeconds;
        double anew = bench.Run(options.Device, keptKernels: false, cancellationToken);
        double kept = Enumerable.Range(0, 3).Select(_ => bench.Run(options.Device, keptKernels: true, cancellationToken)).Order().ElementAt(1);
        Add(new SuiteRow("one token of R1-Distill-Qwen-7B bf16, whole process, weights in page cache", kept, "s", 8, 4, "", null, _loadSeconds));
        Add(new SuiteRow("the same, kernels assembled anew", anew, "s", 8, 4, "", null, _loadSeconds));
    }

    private void Add(SuiteRow row)
    {
        _rows.Add(row);
        Terminal.Note($"{row.Case}: {row.Measured:#,0.##} {row.Unit} (must {row.Must:#,0.##}, aim {row.Aim:#,0.##}{(row.Share is { } s ? $"; {s:P0} of the bound" : "")})");
    }
}
