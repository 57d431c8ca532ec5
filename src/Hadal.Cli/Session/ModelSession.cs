using System.CommandLine;
using System.Diagnostics;
using Hadal.Cli.Output;
using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Tokenization;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Jit;
using Hadal.Models;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Cli.Session;

/// <summary>The model a command line names, loaded, with everything that was opened for it.</summary>
internal sealed class ModelSession : IDisposable
{
    private readonly ITensorSource _source;
    private readonly Checkpoint? _checkpoint;

    private ModelSession(string name, ITensorSource source, Checkpoint? checkpoint, LoadedModel model, TimeSpan loadTime)
    {
        Name = name;
        _source = source;
        _checkpoint = checkpoint;
        Model = model;
        LoadTime = loadTime;
    }

    /// <summary>For people and for the API: the folder's or file's name, the shape's, or the demo's.</summary>
    public string Name { get; }

    public LoadedModel Model { get; }

    public ModelConfig Config => Model.Config;

    public IDeviceRunner Runner => Model.Runner;

    /// <summary>Null for synthetic weights.</summary>
    public Checkpoint? Checkpoint => _checkpoint;

    public TimeSpan LoadTime { get; }

    /// <summary>The configuration alone, and the checkpoint where there is one.</summary>
    /// <param name="options">Of the verb.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="path">In place of MODEL, where a command line names several.</param>
    public static (string Name, ModelConfig Config, Checkpoint? Checkpoint) Open(ModelOptions options, ParseResult parsed, string? path = null)
    {
        if (options.Isa(parsed) is { } isa)
        {
            ProcessIsa.Use(isa);
        }

        string? model = path ?? options.Model(parsed);
        if (model == DemoModel.Name && !Path.Exists(model))
        {
            model = null; // the bundled one by its name, where it is one of several
        }

        if (options.Synthetic(parsed) is { } synthetic)
        {
            if (options.WeightDtype(parsed) == "int4" && !options.OnCard(parsed))
            {
                throw new HadalException("--weight-dtype int4 is for --device cuda; on the CPU 4 bits are GGUF's q4_0, q4_1 and q4_k.");
            }

            return model is null
                ? (synthetic, SyntheticModels.Find(synthetic, options.Layers(parsed)), null)
                : throw new HadalException($"Both MODEL ({model}) and --synthetic {synthetic} are given; give one.");
        }

        CheckWeightDtype(options.WeightDtype(parsed), options.OnCard(parsed));
        if (options.Layers(parsed) is not null)
        {
            throw new HadalException("--layers cuts a --synthetic model; a real one would only talk nonsense.");
        }

        Checkpoint checkpoint = model is null ? DemoModel.Open() : Checkpoint.Open(model);
        string name = model is null ? DemoModel.Name : Path.GetFileNameWithoutExtension(Path.TrimEndingDirectorySeparator(Path.GetFullPath(model)));
        return (name, checkpoint.Config, checkpoint);
    }

    public static ModelSession Load(ModelOptions options, ParseResult parsed, CancellationToken cancellationToken, Func<ModelConfig, LoadOptions, LoadOptions>? adjust = null, string? path = null)
    {
        (string name, ModelConfig config, Checkpoint? checkpoint) = Open(options, parsed, path);
        ITensorSource? source = checkpoint?.Tensors;
        try
        {
            var clock = Stopwatch.StartNew();
            LoadOptions load = options.LoadOptions(parsed);
            load = adjust?.Invoke(config, load) ?? load;
            if (source is null)
            {
                SyntheticTensors synthetic = Synthesize(config, options.WeightDtype(parsed));
                source = synthetic;
                (config, load) = Adapt(synthetic, config, load);
            }
            else
            {
                CheckWeightDtype(options.WeightDtype(parsed), options.OnCard(parsed));
            }

            using var bar = new LoadProgressBar();
            load = load with { Cpu = load.Cpu with { Notice = bar.Note } };
            LoadedModel model = ModelLoader.Load(config, source, load, bar, cancellationToken);
            return new ModelSession(name, source, checkpoint, model, clock.Elapsed);
        }
        catch
        {
            source?.Dispose();
            throw;
        }
    }

    /// <summary>The emitted kernels that the model would run, without loading it.</summary>
    public static IReadOnlyList<KernelUse> PlanKernels(ModelOptions options, ParseResult parsed, ModelConfig config, Checkpoint? checkpoint, ModelGraph graph, CpuFeatures features)
    {
        LoadOptions load = options.LoadOptions(parsed);
        if (checkpoint is not null)
        {
            CheckWeightDtype(options.WeightDtype(parsed), options.OnCard(parsed));
            return KernelPlan.Of(graph, checkpoint.Tensors, config.Fp8BlockSize, features, load.Cpu);
        }

        using SyntheticTensors source = Synthesize(config, options.WeightDtype(parsed), shapesOnly: true);
        (config, load) = Adapt(source, config, load);
        return KernelPlan.Of(graph, source, config.Fp8BlockSize, features, load.Cpu);
    }

    /// <exception cref="HadalException">Synthetic weights have no tokenizer.</exception>
    public ITokenizer RequireTokenizer() => Checkpoint is { } checkpoint
        ? CheckpointText.LoadTokenizer(checkpoint)
        : throw new HadalException("Synthetic weights have no tokenizer; give token ids.");

    public void Dispose()
    {
        Model.Dispose();
        _source.Dispose();
    }

    private static void CheckWeightDtype(string weightDtype, bool onCard)
    {
        if (weightDtype is not ("stored" or "int8") && !(onCard && weightDtype is "fp8" or "int4"))
        {
            throw new HadalException($"--weight-dtype {weightDtype} is for --synthetic{(onCard ? "" : " or for --device cuda")}; a checkpoint is computed with as stored, or as int8{(onCard ? ", fp8 or int4" : "")}.");
        }
    }

    // The weights are made in the type asked for, and nothing is left to convert; but for int4, which no file has in the card's layout.
    private static (ModelConfig Config, LoadOptions Load) Adapt(SyntheticTensors source, ModelConfig config, LoadOptions load)
        => (config with { Fp8BlockSize = source.Fp8BlockSize }, load with
        {
            Cpu = load.Cpu with { Weights = WeightConversion.AsStored, Preload = false },
            Cuda = load.Cuda is { Weights: not CudaWeightConversion.Int4 } cuda ? cuda with { Weights = CudaWeightConversion.AsStored } : load.Cuda,
        });

    /// <summary>Made-up weights of the type --weight-dtype names; says on standard error where they had to be of another.</summary>
    /// <param name="shapesOnly">Names, types and shapes without bytes.</param>
    public static SyntheticTensors Synthesize(ModelConfig config, string weightDtype, bool shapesOnly = false)
    {
        DType dtype = weightDtype == "int4" ? DType.Bf16
            : weightDtype == "stored" ? config.Fp8BlockSize is null ? DType.Bf16 : DType.F8E4M3
            : WeightDtypes.Of(weightDtype);
        var source = new SyntheticTensors(ModelCatalog.Find(config).Build(config), dtype, shapesOnly);
        foreach ((DType other, int matrices) in source.Fallbacks())
        {
            Terminal.Note($"--weight-dtype {weightDtype}: {matrices} matrices have rows that are not whole blocks of {dtype.BlockElements}; they are {WeightDtypes.Name(other)} instead.");
        }

        return source;
    }

    /// <summary>Matrices and vectors by type, as they are stored or made, largest first.</summary>
    public static IReadOnlyList<WeightTotal> Totals(IEnumerable<(string Dtype, long Bytes)> tensors)
        => [.. tensors.GroupBy(t => t.Dtype, StringComparer.Ordinal).Select(g => new WeightTotal(g.Key, g.Count(), g.Sum(t => t.Bytes))).OrderByDescending(t => t.Bytes)];

    /// <summary>Of the model that is loaded.</summary>
    public IReadOnlyList<WeightTotal> Totals() => Totals(_source is SyntheticTensors synthetic
        ? synthetic.List().Select(t => (WeightDtypes.StoredName(t.DType), t.ByteLength))
        : _checkpoint!.ListTensors().Select(t => (t.DType, t.ByteLength)));
}
