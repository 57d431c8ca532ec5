using System.CommandLine;
using Hadal.Graph.Cpu;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>The argument MODEL and the options of every verb that loads one.</summary>
internal sealed class ModelOptions
{
    private readonly Argument<string?> _model = new("MODEL")
    {
        Description = "Hugging Face folder or .gguf file; nothing for the bundled demo model",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<string?> _synthetic = new("--synthetic")
    {
        Description = $"Random weights of a true shape, to measure speed without a download: {string.Join(", ", SyntheticModels.Names)}",
        HelpName = "NAME",
    };

    private readonly Option<int?> _layers = new("--layers") { Description = "Cut a synthetic model to this many layers", HelpName = "N" };

    private readonly Option<string> _device = new("--device") { Description = "Where to run: cpu", DefaultValueFactory = _ => "cpu", HelpName = "DEVICE" };

    private readonly Option<int> _threads = new("--threads") { Description = "Worker threads; 0 for one per processor that this process may use (affinity, cpuset and cgroup quota count). They are numbered memory node by memory node", HelpName = "N" };

    private readonly Option<string> _pin = new("--pin")
    {
        Description = "Keep each worker thread on the processors of its memory node: auto (on a machine with several nodes), on, or off (for several processes that share a machine)",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<string> _isa = new("--isa")
    {
        Description = "Most that kernels use of the processor: auto, avx512 (as auto, but an error without AVX-512), avx2 (no emitted code, vectors of 256 bits; --dtype auto then rounds nothing but KV pages), or scalar (the plain loops that the tests compare with; slow)",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<string> _dtype = new("--dtype")
    {
        Description = "Activations: auto (the fastest kernels of this machine: matmuls round activations to bf16 or int8, by their weights), f32 (nothing is rounded), or bf16 (every result is rounded)",
    };

    private readonly Option<string?> _kvDtype = new("--kv-dtype") { Description = "KV pages: f32 or bf16; by default f32 with --dtype f32, else bf16" };

    private readonly Option<string> _weightDtype = new("--weight-dtype")
    {
        Description = "Weights of matmuls: stored (their own bits), or int8 (a scale per row, made while loading); for --synthetic also f32, f16, bf16, fp8 and GGUF's q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k",
        DefaultValueFactory = _ => "stored",
    };

    private readonly Option<string?> _packCache = new("--pack-cache")
    {
        Description = "Folder that keeps packed weights from start to start (--dtype auto packs them while loading), found by a hash of the stored ones; made if need be. What it saves and when: docs/performance-cpu.md",
        HelpName = "DIR",
    };

    private readonly Option<string> _fusion = new("--fusion")
    {
        Description = $"Graph passes: none, default, or names: {string.Join(", ", FusionPlan.All.Select(p => p.Name))}, buffer-sharing",
        DefaultValueFactory = _ => "default",
        HelpName = "PASSES",
    };

    private readonly Option<int?> _maxContext = new("--max-context") { Description = "Longest sequence, in tokens; by default the model's own limit or what the KV pages hold", HelpName = "TOKENS" };

    private readonly Option<string?> _kvMemory = new("--kv-memory") { Description = "Memory for KV pages, e.g. 2GiB or 512MiB; by default a quarter of this machine's", HelpName = "SIZE" };

    private readonly Option<int> _blockSize = new("--block-size") { Description = "Tokens per KV page", DefaultValueFactory = _ => 16, HelpName = "TOKENS" };

    /// <param name="command">The verb.</param>
    /// <param name="dtype">What --dtype is by default: auto where speed is the point, f32 where numbers are compared.</param>
    public ModelOptions(Command command, string dtype)
    {
        _dtype.DefaultValueFactory = _ => dtype;
        _device.OneOf("cpu");
        _isa.OneOf("auto", "scalar", "avx2", "avx512");
        _dtype.OneOf("auto", "f32", "bf16");
        _kvDtype.OneOf("f32", "bf16");
        _weightDtype.OneOf(["stored", .. WeightDtypes.Names]);
        _threads.InRange(0, 1024);
        _packCache.IsFolder();
        _pin.OneOf("auto", "on", "off");
        _blockSize.InRange(1, 1024);
        _layers.InRange(1);
        _maxContext.InRange(1);
        // With an optional argument, a mistyped option would be taken for it.
        _model.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: ['-', ..] option }])
            {
                result.AddError($"there is no option {option}");
            }
        });
        command.Arguments.Add(_model);
        foreach (Option option in new Option[] { _synthetic, _layers, _device, _isa, _threads, _pin, _dtype, _kvDtype, _weightDtype, _packCache, _fusion, _maxContext, _kvMemory, _blockSize })
        {
            command.Options.Add(option);
        }
    }

    public string? Model(ParseResult parsed) => parsed.GetValue(_model);

    public string? Synthetic(ParseResult parsed) => parsed.GetValue(_synthetic);

    public int? Layers(ParseResult parsed) => parsed.GetValue(_layers);

    /// <summary>Null for whatever there is.</summary>
    public IsaLevel? Isa(ParseResult parsed) => parsed.GetValue(_isa) switch
    {
        "scalar" => IsaLevel.Scalar,
        "avx2" => IsaLevel.Avx2,
        "avx512" => IsaLevel.Avx512,
        _ => null,
    };

    public FusionPlan Fusion(ParseResult parsed) => FusionPlan.Parse(parsed.GetValue(_fusion)!);

    public string WeightDtype(ParseResult parsed) => parsed.GetValue(_weightDtype)!;

    public DType KvDType(ParseResult parsed) => parsed.GetValue(_kvDtype) is { } kv ? Float(kv) : parsed.GetValue(_dtype) == "f32" ? DType.F32 : DType.Bf16;

    public string Dtype(ParseResult parsed) => parsed.GetValue(_dtype)!;

    public LoadOptions LoadOptions(ParseResult parsed) => new()
    {
        Fusion = Fusion(parsed),
        MaxContextLen = parsed.GetValue(_maxContext),
        KvMemoryBytes = parsed.GetValue(_kvMemory) is { } text ? ByteSize.Parse(text, "--kv-memory") : null,
        Cpu = new CpuOptions
        {
            Threads = parsed.GetValue(_threads),
            Pinning = parsed.GetValue(_pin) switch { "on" => ThreadPinning.On, "off" => ThreadPinning.Off, _ => ThreadPinning.Auto },
            ActivationDType = Float(parsed.GetValue(_dtype)!),
            Pack = parsed.GetValue(_dtype) == "auto",
            PackCache = parsed.GetValue(_packCache),
            KvDType = KvDType(parsed),
            BlockSize = parsed.GetValue(_blockSize),
            Weights = WeightDtype(parsed) == "int8" ? WeightConversion.Int8 : WeightConversion.AsStored,
        },
    };

    private static DType Float(string text) => text == "bf16" ? DType.Bf16 : DType.F32;
}
