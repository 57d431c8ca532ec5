using System.CommandLine;
using System.Globalization;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Kernels.Cuda;
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

    private readonly Option<string?>? _modelOption;

    private readonly Option<string?> _synthetic = new("--synthetic")
    {
        Description = $"Random weights of a true shape, to measure speed without a download: {string.Join(", ", SyntheticModels.Names)}",
        HelpName = "NAME",
    };

    private readonly Option<int?> _layers = new("--layers") { Description = "Cut a synthetic model to this many layers", HelpName = "N" };

    private readonly Option<string> _device = new("--device") { Description = "Where to run: cpu, cuda (the first NVIDIA card), or cuda:N", DefaultValueFactory = _ => "cpu", HelpName = "DEVICE" };

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
        Description = "Activations: auto (the fastest kernels of this machine: matmuls round activations to bf16 or int8, by their weights), f32 (nothing is rounded), or bf16 (every result is rounded). On a card: auto and bf16 (bf16 between matmuls, the residual stream in f32), or f32 (nothing is rounded; plain kernels, slow)",
    };

    private readonly Option<string?> _kvDtype = new("--kv-dtype") { Description = "KV pages: f32, bf16, or on a card fp8; by default f32 with --dtype f32, else bf16. On a card f32 goes with --dtype f32, the others with --dtype bf16" };

    private readonly Option<string> _weightDtype = new("--weight-dtype")
    {
        Description = "Weights of matmuls: stored (their own bits), or made while loading: int8 (a scale per row), on a card also fp8 (a scale per row) and int4 (a scale per 128); for --synthetic also f32, f16, bf16, fp8 and GGUF's q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k",
        DefaultValueFactory = _ => "stored",
    };

    private readonly Option<string?> _packCache = new("--pack-cache")
    {
        Description = "Folder that keeps packed weights from start to start (--dtype auto packs them while loading), found by a hash of the stored ones; made if need be. What it saves and when: docs/performance-cpu.md",
        HelpName = "DIR",
    };

    private readonly Option<bool> _deterministic = new("--deterministic") { Description = "On a card: a request's tokens do not depend on what else is in the batch (slower)" };

    private readonly Option<string> _cudaKernels = new("--cuda-kernels")
    {
        Description = "On a card: auto (kernels made for it), or sm_80 (those that run on any card from compute capability 8.0)",
        DefaultValueFactory = _ => "auto",
    };

    private readonly Option<bool> _noCudaGraphs = new("--no-cuda-graphs") { Description = "On a card: launch every kernel of every step instead of replaying captured graphs" };

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
    /// <param name="modelAsOption">MODEL is given as --model: the verb's arguments are others.</param>
    public ModelOptions(Command command, string dtype, bool modelAsOption = false)
    {
        _dtype.DefaultValueFactory = _ => dtype;
        _device.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var device }] && device is not ("cpu" or "cuda") && CudaOrdinal(device) is null)
            {
                result.AddError($"--device {device}: there are cpu, cuda and cuda:N");
            }
        });
        _cudaKernels.OneOf("auto", "sm_80");
        _isa.OneOf("auto", "scalar", "avx2", "avx512");
        _dtype.OneOf("auto", "f32", "bf16");
        _kvDtype.OneOf("f32", "bf16", "fp8");
        _weightDtype.OneOf(["stored", "int4", .. WeightDtypes.Names]);
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
        if (modelAsOption)
        {
            _modelOption = new Option<string?>("--model") { Description = _model.Description, HelpName = "MODEL" };
            command.Options.Add(_modelOption);
        }
        else
        {
            command.Arguments.Add(_model);
        }

        foreach (Option option in new Option[] { _synthetic, _layers, _device, _isa, _threads, _pin, _dtype, _kvDtype, _weightDtype, _packCache, _fusion, _maxContext, _kvMemory, _blockSize, _deterministic, _cudaKernels, _noCudaGraphs })
        {
            command.Options.Add(option);
        }
    }

    public string? Model(ParseResult parsed) => _modelOption is null ? parsed.GetValue(_model) : parsed.GetValue(_modelOption);

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

    public bool OnCard(ParseResult parsed) => parsed.GetValue(_device) != "cpu";

    public DType KvDType(ParseResult parsed)
    {
        string? kv = parsed.GetValue(_kvDtype);
        string dtype = parsed.GetValue(_dtype)!;
        if (!OnCard(parsed))
        {
            return kv switch
            {
                "fp8" => throw new HadalException("--kv-dtype fp8 is for --device cuda; pages on the CPU hold f32 or bf16."),
                null => dtype == "f32" ? DType.F32 : DType.Bf16,
                _ => Float(kv),
            };
        }

        return (dtype, kv) switch
        {
            ("f32", null or "f32") => DType.F32,
            ("f32", _) => throw new HadalException($"--kv-dtype {kv} goes with --dtype bf16 on a card; with --dtype f32 pages hold f32."),
            (_, "f32") => throw new HadalException("--kv-dtype f32 goes with --dtype f32 on a card; pages of bf16 activations hold bf16 or fp8."),
            (_, "fp8") => DType.F8E4M3,
            _ => DType.Bf16,
        };
    }

    /// <summary>What activations are, as --dtype has it; auto is bf16 on a card.</summary>
    public string Dtype(ParseResult parsed) => (OnCard(parsed), parsed.GetValue(_dtype)!) switch
    {
        (true, "auto") => "bf16",
        (_, string dtype) => dtype,
    };

    public CudaOptions? Cuda(ParseResult parsed)
    {
        CheckDevice(parsed);
        return OnCard(parsed) ? CardOptions(parsed) : null;
    }

    /// <summary>An option that the device would not heed is an error, not a hope.</summary>
    private void CheckDevice(ParseResult parsed)
    {
        bool onCard = OnCard(parsed);
        Option[] others = onCard ? [_isa, _pin, _packCache] : [_deterministic, _cudaKernels, _noCudaGraphs];
        if (others.FirstOrDefault(o => parsed.GetResult(o) is { Implicit: false }) is { } option)
        {
            throw new HadalException($"{option.Name} is for --device {(onCard ? "cpu" : "cuda")}.");
        }
    }

    private CudaOptions CardOptions(ParseResult parsed)
        => new()
        {
            Device = CudaOrdinal(parsed.GetValue(_device)!) ?? 0,
            Target = parsed.GetValue(_cudaKernels) == "sm_80" ? CudaTarget.Sm80 : CudaTarget.Auto,
            Weights = WeightDtype(parsed) switch
            {
                "int8" => CudaWeightConversion.Int8,
                "fp8" => CudaWeightConversion.Fp8,
                "int4" => CudaWeightConversion.Int4,
                _ => CudaWeightConversion.AsStored,
            },
            ActivationDType = Float(Dtype(parsed)),
            KvDType = KvDType(parsed),
            BlockSize = parsed.GetValue(_blockSize),
            CaptureGraphs = !parsed.GetValue(_noCudaGraphs),
            Deterministic = parsed.GetValue(_deterministic),
            LoadThreads = parsed.GetValue(_threads),
        };

    private static int? CudaOrdinal(string device)
        => device.StartsWith("cuda:", StringComparison.Ordinal) && int.TryParse(device.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out int ordinal) ? ordinal : null;

    public LoadOptions LoadOptions(ParseResult parsed) => new()
    {
        Fusion = Fusion(parsed),
        MaxContextLen = parsed.GetValue(_maxContext),
        KvMemoryBytes = parsed.GetValue(_kvMemory) is { } text ? ByteSize.Parse(text, "--kv-memory") : null,
        Cuda = Cuda(parsed),
        Cpu = OnCard(parsed) ? new CpuOptions() : new CpuOptions
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
