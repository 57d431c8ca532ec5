using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Models.Loading;

/// <summary>From a configuration and weights to a model that runs: build the graph, fuse it, compile it, give it pages.</summary>
public static class ModelLoader
{
    /// <summary>The graph with its passes applied, without weights: for <c>hadal explain</c> and <c>inspect</c>.</summary>
    public static (ModelGraph Graph, IReadOnlyList<(IGraphPass Pass, int Changes)> Passes) BuildGraph(ModelConfig config, FusionPlan fusion, bool keepHiddenStates = false)
    {
        ModelGraph graph = ModelCatalog.Find(config).Build(config, keepHiddenStates);
        return (graph, fusion.Apply(graph));
    }

    /// <param name="config">The model's configuration.</param>
    /// <param name="source">Its weights; must outlive the model.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Told after each weight.</param>
    /// <param name="cancellationToken">Ends the loading.</param>
    /// <exception cref="HadalException">A weight is missing or wrong, or the pages asked for do not fit.</exception>
    public static LoadedModel Load(
        ModelConfig config, ITensorSource source, LoadOptions options, IProgress<LoadProgress>? progress = null, CancellationToken cancellationToken = default)
    {
        FusionPlan fusion = AdapterLoader.NeedsGateAndUpApart(options.Adapters) ? options.Fusion.Without("gate-up") : options.Fusion;
        (ModelGraph graph, IReadOnlyList<(IGraphPass, int)> passes) = BuildGraph(config, fusion, options.KeepHiddenStates);
        IReadOnlyList<WeightSpec> mtp = ModelCatalog.Find(config).MtpWeights(config);
        // Published files carry the layers; files saved by libraries that cannot use them do not.
        bool hasMtp = mtp.Count > 0 && source.TryGet(mtp[0].Name, out _);
        if (options.Mtp && !hasMtp)
        {
            throw new HadalException(mtp.Count == 0
                ? $"Multi-token prediction: a model of type {config.ModelType} with num_nextn_predict_layers = {config.NumNextnPredictLayers} has no such layer. Speculate by ngram or by a draft model."
                : $"Multi-token prediction: {source.Description} has no tensor {mtp[0].Name}, so the layer was left out of the checkpoint. Speculate by ngram or by a draft model, or use the published files.");
        }

        if (options.Cuda is { } cuda)
        {
            if (options.Adapters.Count > 0)
            {
                throw new HadalException($"LoRA adapters run on the CPU so far, and this model is to run on a card: leave out adapter {options.Adapters[0].Name}, use --device cpu, or merge the adapter into the weights.");
            }

            if (options.Mtp)
            {
                throw new HadalException("Multi-token prediction runs on the CPU only so far, not on a card. Speculate by ngram there, or run on the CPU.");
            }

            return LoadCuda(config, source, graph, passes, hasMtp ? mtp : [], options, cuda with { ShareBuffers = options.Fusion.ShareBuffers }, progress, cancellationToken);
        }

        // The layer guesses with its own weights, whatever the adapter: a guess is verified with the adapter's.
        ModelGraph? mtpGraph = options.Mtp ? BuildMtpGraph(config, options.Fusion) : null;
        CpuOptions plain = options.Cpu with { ShareBuffers = options.Fusion.ShareBuffers };
        CpuOptions cpu = plain with { Adapters = AdapterLoader.Fit(options.Adapters, graph, config) };
        WorkerPool pool = options.SharedPool ?? new WorkerPool(cpu.Threads, cpu.Pinning);
        CpuProgram? program = null;
        CpuProgram? mtpProgram = null;
        try
        {
            // What the layer's own program reads is bound there, in the form it is computed with.
            var inMtp = (mtpGraph?.Weights ?? []).Select(w => w.Name).ToHashSet(StringComparer.Ordinal);
            program = CpuCompiler.Compile(graph, source, config.Fp8BlockSize, hasMtp ? [.. mtp.Where(w => !inMtp.Contains(w.Name))] : [], pool, cpu, progress, cancellationToken);
            program.OwnsPool = options.SharedPool is null;
            mtpProgram = mtpGraph is null ? null : CpuCompiler.Compile(mtpGraph, source, config.Fp8BlockSize, [], pool, plain, progress, cancellationToken);
        }
        catch
        {
            program?.Dispose();
            if (options.SharedPool is null)
            {
                pool.Dispose();
            }

            throw;
        }

        if (mtpProgram is not null)
        {
            mtpProgram.OwnsPool = false;
        }

        try
        {
            long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            long bytesPerToken = KvBytesPerToken(graph, cpu.KvDType) + (mtpGraph is null ? 0 : KvBytesPerToken(mtpGraph, cpu.KvDType));
            (int numBlocks, int maxContext) = PlanPages(config, bytesPerToken, cpu.BlockSize, memory, memory / 4, options);
            CpuMtp? layer = mtpProgram is null ? null : new CpuMtp(mtpProgram, cpu, numBlocks);
            return new LoadedModel(config, new CpuModelRunner(program, cpu, config.VocabSize, maxContext, numBlocks, layer), passes, hasMtp);
        }
        catch
        {
            mtpProgram?.Dispose();
            program.Dispose();
            throw;
        }
    }

    private static ModelGraph BuildMtpGraph(ModelConfig config, FusionPlan fusion)
    {
        ModelGraph graph = ModelCatalog.Find(config).BuildMtp(config) ?? throw new HadalException($"Multi-token prediction: model type {config.ModelType} cannot run its layer.");
        fusion.Apply(graph);
        return graph;
    }

    private static long KvBytesPerToken(ModelGraph graph, DType kvDType) => CpuModelRunner.KvBytesPerToken(graph, kvDType);

    private static LoadedModel LoadCuda(
        ModelConfig config, ITensorSource source, ModelGraph graph, IReadOnlyList<(IGraphPass, int)> passes, IReadOnlyList<WeightSpec> mtp, LoadOptions options, CudaOptions cuda,
        IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        CudaModel model = CudaCompiler.Compile(graph, source, config.Fp8BlockSize, mtp, cuda, progress, cancellationToken);
        try
        {
            long free = model.FreeMemory;
            (int numBlocks, int maxContext) = PlanPages(config, KvBytesPerToken(graph, cuda.KvDType), cuda.BlockSize, free, free / 10 * 9, options);
            return new LoadedModel(config, model.CreateRunner(config.VocabSize, maxContext, numBlocks), passes, mtp.Count > 0);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <param name="bytesPerToken">Of keys and values, in all layers.</param>
    /// <param name="memory">Bytes that pages could take at all.</param>
    /// <param name="share">Bytes they may take where nobody says.</param>
    private static (int NumBlocks, int MaxContextLen) PlanPages(ModelConfig config, long bytesPerToken, int blockSize, long memory, long share, LoadOptions options)
    {
        if (options.MaxContextLen is { } asked && (asked < 1 || asked > config.MaxPositionEmbeddings))
        {
            throw new HadalException($"--max-context {asked}: the model takes 1 to {config.MaxPositionEmbeddings} tokens.");
        }

        long bytesPerBlock = checked(bytesPerToken * blockSize);
        int wanted = options.MaxContextLen ?? config.MaxPositionEmbeddings;
        long blocksPerSequence = (wanted + blockSize - 1) / blockSize;
        long most = Math.Min(blocksPerSequence * options.MaxSequences, int.MaxValue / blockSize);
        long budget = options.KvMemoryBytes ?? Math.Max(share, bytesPerBlock * 64);
        long blocks = options.NumBlocks ?? Math.Min(most, budget / bytesPerBlock);
        if (blocks < 1)
        {
            throw new HadalException($"--kv-memory {budget} bytes: one page of {blockSize} tokens takes {bytesPerBlock} bytes.");
        }

        if (blocks * bytesPerBlock > memory)
        {
            throw new HadalException(
                $"KV pages of {blocks * bytesPerBlock / (1 << 20)} MiB for {options.MaxSequences} sequences of {wanted} tokens are more than the {memory / (1 << 20)} MiB of memory that they may use. Ask for fewer or shorter sequences, or give a smaller --kv-dtype.");
        }

        if (options.NumBlocks is null && options.MaxContextLen is not null && blocks < blocksPerSequence)
        {
            throw new HadalException(
                $"A context of {wanted} tokens needs {blocksPerSequence * bytesPerBlock >> 10} KiB of KV pages and {budget >> 10} KiB are planned. Raise --kv-memory, lower --max-context to {blocks * blockSize}, or give a smaller --kv-dtype.");
        }

        return ((int)blocks, (int)Math.Min(wanted, blocks * blockSize));
    }
}
