using System.CommandLine;
using System.Text.Json;
using Hadal.Cli.Output;
using Hadal.Cli.Session;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Models;
using Hadal.Models.Synthetic;
using Hadal.Numerics;
using Spectre.Console;

namespace Hadal.Cli.Verbs;

/// <summary><c>hadal inspect</c>: what a checkpoint is, without loading it.</summary>
internal static class InspectCommand
{
    public static Command Create()
    {
        var command = new Command("inspect", """
            Show what a model is: sizes, element types, KV bytes a token. Reads headers only.

            Examples:
              hadal inspect
              hadal inspect DeepSeek-R1-Distill-Qwen-7B --tensors
              hadal inspect --synthetic deepseek-v3 --json
              hadal inspect --synthetic deepseek-v2-lite --weight-dtype q4_k
            """);
        var model = new ModelOptions(command, "auto");
        var tensors = new Option<bool>("--tensors") { Description = "List every tensor" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Options.Add(tensors);
        command.Options.Add(json);
        command.SetAction(parsed => Run(parsed, model, parsed.GetValue(tensors), parsed.GetValue(json)));
        return command;
    }

    private static int Run(ParseResult parsed, ModelOptions options, bool tensors, bool json)
    {
        (string name, ModelConfig config, Checkpoint? checkpoint) = ModelSession.Open(options, parsed);
        using (checkpoint)
        {
            using SyntheticTensors? synthetic = checkpoint is null ? ModelSession.Synthesize(config, options.WeightDtype(parsed)) : null;
            List<CheckpointTensor> list = synthetic is null
                ? [.. checkpoint!.ListTensors()]
                : [.. synthetic.List().Select(t => new CheckpointTensor(t.Name, WeightDtypes.StoredName(t.DType), t.Shape, t.ByteLength, synthetic.Description))];
            InspectReport report = Report(name, config, checkpoint, list, tensors);
            if (json)
            {
                Console.WriteLine(JsonSerializer.Serialize(report, CliJson.Default.InspectReport));
            }
            else
            {
                Print(report);
            }
        }

        return 0;
    }

    private static InspectReport Report(string name, ModelConfig config, Checkpoint? checkpoint, List<CheckpointTensor> list, bool tensors)
    {
        IModelFamily family = ModelCatalog.Find(config);
        ModelGraph graph = family.Build(config);
        long parameters = graph.Weights.Sum(w => w.NumElements);
        long idle = graph.Nodes.Sum(n => n.Op switch
        {
            ExpertsOp e => e.Weights.Sum(w => w.NumElements) / config.Moe!.NumRoutedExperts * (config.Moe.NumRoutedExperts - config.Moe.NumExpertsPerTok),
            EmbedOp e when !config.TieWordEmbeddings => e.Weight.NumElements - e.Weight.Columns,
            _ => 0,
        });
        IReadOnlyList<WeightSpec> mtp = family.MtpWeights(config);
        return new InspectReport
        {
            Model = name,
            ModelType = config.ModelType,
            Parameters = parameters,
            ActiveParameters = parameters - idle,
            Layers = config.NumHiddenLayers,
            HiddenSize = config.HiddenSize,
            VocabSize = config.VocabSize,
            MaxContext = config.MaxPositionEmbeddings,
            Attention = config.Mla is { } mla
                ? $"latent: {config.NumAttentionHeads} heads of {mla.QkNopeHeadDim}+{mla.QkRopeHeadDim}, values {mla.VHeadDim}, latent {mla.KvLoraRank}"
                : $"grouped-query: {config.NumAttentionHeads} heads of {config.HeadDim}, {config.NumKeyValueHeads} for keys and values",
            Experts = config.Moe is { } moe
                ? $"{moe.NumExpertsPerTok} of {moe.NumRoutedExperts}, {moe.NumSharedExperts} shared, from layer {moe.FirstKDenseReplace}"
                : null,
            KvBytesPerTokenF32 = CpuModelRunner.KvBytesPerToken(graph, DType.F32),
            KvBytesPerTokenBf16 = CpuModelRunner.KvBytesPerToken(graph, DType.Bf16),
            WeightBytes = list.Sum(t => t.ByteLength),
            Dtypes = ModelSession.Totals(list.Select(t => (t.DType, t.ByteLength))),
            MultiTokenPrediction = mtp.Count > 0 && checkpoint is not null && checkpoint.Tensors.TryGet(mtp[0].Name, out _),
            Tensors = tensors ? list.Select(t => new InspectReport.TensorLine(t.Name, t.DType, t.Shape, t.ByteLength, t.File)).ToList() : null,
        };
    }

    private static void Print(InspectReport r)
    {
        var grid = new Grid().AddColumn().AddColumn();
        void Row(string key, string value) => grid.AddRow(new Text(key), new Text(value));
        Row("model", $"{r.Model} ({r.ModelType})");
        Row("parameters", r.ActiveParameters == r.Parameters ? $"{r.Parameters:N0}" : $"{r.Parameters:N0}, {r.ActiveParameters:N0} active a token");
        Row("layers", $"{r.Layers} of width {r.HiddenSize}");
        Row("attention", r.Attention);
        if (r.Experts is not null)
        {
            Row("experts", r.Experts);
        }

        Row("vocabulary", $"{r.VocabSize:N0}");
        Row("context", $"{r.MaxContext:N0} tokens");
        Row("KV a token", $"{Terminal.Bytes(r.KvBytesPerTokenF32)} in f32, {Terminal.Bytes(r.KvBytesPerTokenBf16)} in bf16");
        if (r.WeightBytes is { } bytes)
        {
            Row("weights", $"{Terminal.Bytes(bytes)}: {string.Join(", ", r.Dtypes.Select(d => $"{d.Tensors} × {d.Dtype} {Terminal.Bytes(d.Bytes)}"))}");
        }

        if (r.MultiTokenPrediction)
        {
            Row("MTP", "multi-token-prediction layers are there; loaded and checked, not used yet");
        }

        AnsiConsole.Write(grid);
        foreach (InspectReport.TensorLine t in r.Tensors ?? [])
        {
            Console.WriteLine($"{t.Name}  {t.Dtype} [{string.Join(", ", t.Shape)}]  {Terminal.Bytes(t.Bytes)}  {t.File}");
        }
    }
}
