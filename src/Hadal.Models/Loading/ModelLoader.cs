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
        (ModelGraph graph, IReadOnlyList<(IGraphPass, int)> passes) = BuildGraph(config, options.Fusion, options.KeepHiddenStates);
        IReadOnlyList<WeightSpec> mtp = ModelCatalog.Find(config).MtpWeights(config);
        // Published files carry the layers; files saved by libraries that cannot use them do not.
        bool hasMtp = mtp.Count > 0 && source.TryGet(mtp[0].Name, out _);
        if (options.Cuda is { } cuda)
        {
            return LoadCuda(config, source, graph, passes, hasMtp ? mtp : [], options, cuda with { ShareBuffers = options.Fusion.ShareBuffers }, progress, cancellationToken);
        }

        CpuOptions cpu = options.Cpu with { ShareBuffers = options.Fusion.ShareBuffers };
        var pool = new WorkerPool(cpu.Threads, cpu.Pinning);
        CpuProgram program;
        try
        {
            program = CpuCompiler.Compile(graph, source, config.Fp8BlockSize, hasMtp ? mtp : [], pool, cpu, progress, cancellationToken);
        }
        catch
        {
            pool.Dispose();
            throw;
        }

        try
        {
            long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
            (int numBlocks, int maxContext) = PlanPages(config, graph, cpu.KvDType, cpu.BlockSize, memory, memory / 4, options);
            return new LoadedModel(config, new CpuModelRunner(program, cpu, config.VocabSize, maxContext, numBlocks), passes, hasMtp);
        }
        catch
        {
            program.Dispose();
            throw;
        }
    }

    private static LoadedModel LoadCuda(
        ModelConfig config, ITensorSource source, ModelGraph graph, IReadOnlyList<(IGraphPass, int)> passes, IReadOnlyList<WeightSpec> mtp, LoadOptions options, CudaOptions cuda,
        IProgress<LoadProgress>? progress, CancellationToken cancellationToken)
    {
        CudaModel model = CudaCompiler.Compile(graph, source, config.Fp8BlockSize, mtp, cuda, progress, cancellationToken);
        try
        {
            long free = model.FreeMemory;
            (int numBlocks, int maxContext) = PlanPages(config, graph, cuda.KvDType, cuda.BlockSize, free, free / 10 * 9, options);
            return new LoadedModel(config, model.CreateRunner(config.VocabSize, maxContext, numBlocks), passes, mtp.Count > 0);
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <param name="memory">Bytes that pages could take at all.</param>
    /// <param name="share">Bytes they may take where nobody says.</param>
    private static (int NumBlocks, int MaxContextLen) PlanPages(ModelConfig config, ModelGraph graph, DType kvDType, int blockSize, long memory, long share, LoadOptions options)
    {
        if (options.MaxContextLen is { } asked && (asked < 1 || asked > config.MaxPositionEmbeddings))
        {
            throw new HadalException($"--max-context {asked}: the model takes 1 to {config.MaxPositionEmbeddings} tokens.");
        }

        long bytesPerBlock = checked(CpuModelRunner.KvBytesPerToken(graph, kvDType) * blockSize);
        int wanted = options.MaxContextLen ?? config.MaxPositionEmbeddings;
        long blocksPerSequence = (wanted + blockSize - 1) / blockSize;
        long most = Math.Min(blocksPerSequence * options.MaxSequences, int.MaxValue / blockSize);
        long budget = options.KvMemoryBytes ?? Math.Max(share, bytesPerBlock * 64);
        long blocks = Math.Min(most, budget / bytesPerBlock);
        if (blocks < 1)
        {
            throw new HadalException($"--kv-memory {budget} bytes: one page of {blockSize} tokens takes {bytesPerBlock} bytes.");
        }

        if (blocks * bytesPerBlock > memory)
        {
            throw new HadalException(
                $"KV pages of {blocks * bytesPerBlock / (1 << 20)} MiB for {options.MaxSequences} sequences of {wanted} tokens are more than the {memory / (1 << 20)} MiB of memory that they may use. Ask for fewer or shorter sequences, or give a smaller --kv-dtype.");
        }

        if (options.MaxContextLen is not null && blocks < blocksPerSequence)
        {
            throw new HadalException(
                $"A context of {wanted} tokens needs {blocksPerSequence * bytesPerBlock >> 10} KiB of KV pages and {budget >> 10} KiB are planned. Raise --kv-memory, lower --max-context to {blocks * blockSize}, or give a smaller --kv-dtype.");
        }

        return ((int)blocks, (int)Math.Min(wanted, blocks * blockSize));
    }
}
