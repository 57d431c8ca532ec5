using Hadal.Formats.Config;
using Hadal.Numerics;

namespace Hadal.Models.Synthetic;

/// <summary>Shapes by name, so that speed can be measured without a download: published ones, with the sizes of each model's config.json, and one that is scaled down.</summary>
public static class SyntheticModels
{
    private static readonly Dictionary<string, ModelConfig> _configs = new(StringComparer.OrdinalIgnoreCase)
    {
        ["deepseek-r1-distill-qwen-1.5b"] = Qwen2(1536, 8960, 28, 12, 2, 151936, 1e-6f, 10000),
        ["deepseek-r1-distill-qwen-7b"] = Qwen2(3584, 18944, 28, 28, 4, 152064, 1e-6f, 10000),
        ["deepseek-r1-distill-qwen-14b"] = Qwen2(5120, 13824, 48, 40, 8, 152064, 1e-5f, 1000000),
        ["deepseek-r1-distill-qwen-32b"] = Qwen2(5120, 27648, 64, 40, 8, 152064, 1e-5f, 1000000),
        ["deepseek-r1-distill-llama-8b"] = Llama3(4096, 14336, 32, 32),
        ["deepseek-r1-distill-llama-70b"] = Llama3(8192, 28672, 80, 64),
        ["deepseek-v2-lite"] = V2Lite(),
        ["deepseek-v2-lite-small"] = V2LiteSmall(),
        ["deepseek-v3"] = V3(),
    };

    public static IReadOnlyCollection<string> Names => _configs.Keys;

    /// <param name="name">One of <see cref="Names"/>.</param>
    /// <param name="numLayers">Cut to this many layers; null for all.</param>
    /// <exception cref="HadalException">No such name, or more layers than the model has.</exception>
    public static ModelConfig Find(string name, int? numLayers = null)
    {
        if (!_configs.TryGetValue(name, out ModelConfig? config))
        {
            throw new HadalException($"--synthetic {name}: no such shape. There are: {string.Join(", ", Names)}.");
        }

        if (numLayers is not { } layers)
        {
            return config;
        }

        return layers >= 1 && layers <= config.NumHiddenLayers
            ? config with { NumHiddenLayers = layers }
            : throw new HadalException($"--layers {layers}: {name} has 1 to {config.NumHiddenLayers}.");
    }

    private static ModelConfig Qwen2(int hidden, int intermediate, int layers, int heads, int kvHeads, int vocab, float eps, double theta) => new()
    {
        ModelType = "qwen2",
        VocabSize = vocab,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        NumHiddenLayers = layers,
        NumAttentionHeads = heads,
        NumKeyValueHeads = kvHeads,
        HeadDim = hidden / heads,
        MaxPositionEmbeddings = 131072,
        RmsNormEps = eps,
        Rope = new RopeConfig { Type = RopeType.Default, Theta = theta, Interleaved = false },
        QkvBias = true,
    };

    private static ModelConfig Llama3(int hidden, int intermediate, int layers, int heads) => new()
    {
        ModelType = "llama",
        VocabSize = 128256,
        HiddenSize = hidden,
        IntermediateSize = intermediate,
        NumHiddenLayers = layers,
        NumAttentionHeads = heads,
        NumKeyValueHeads = 8,
        HeadDim = hidden / heads,
        MaxPositionEmbeddings = 131072,
        RmsNormEps = 1e-5f,
        Rope = new RopeConfig
        {
            Type = RopeType.Llama3,
            Theta = 500000,
            Interleaved = false,
            Factor = 8,
            LowFreqFactor = 1,
            HighFreqFactor = 4,
            OriginalMaxPositionEmbeddings = 8192,
        },
    };

    private static RopeConfig DeepSeekYarn(double mscale) => new()
    {
        Type = RopeType.Yarn,
        Theta = 10000,
        Interleaved = true,
        Factor = 40,
        OriginalMaxPositionEmbeddings = 4096,
        Mscale = mscale,
        MscaleAllDim = mscale,
    };

    private static ModelConfig V2Lite() => new()
    {
        ModelType = "deepseek_v2",
        VocabSize = 102400,
        HiddenSize = 2048,
        IntermediateSize = 10944,
        NumHiddenLayers = 27,
        NumAttentionHeads = 16,
        NumKeyValueHeads = 16,
        HeadDim = 192,
        MaxPositionEmbeddings = 163840,
        RmsNormEps = 1e-6f,
        Rope = DeepSeekYarn(0.707),
        Mla = new MlaConfig(null, 512, 128, 64, 128),
        Moe = new MoeConfig
        {
            NumRoutedExperts = 64,
            NumExpertsPerTok = 6,
            MoeIntermediateSize = 1408,
            NumSharedExperts = 2,
            FirstKDenseReplace = 1,
            ScoringFunc = ScoringFunc.Softmax,
            TopkMethod = TopkMethod.Greedy,
            NormTopkProb = false,
            RoutedScalingFactor = 1,
        },
    };

    /// <summary>V2-Lite with its heads, latents and layers, half as wide and with half the experts, so that a whole mixture of 1.56 B parameters fits small machines. Nobody published it.</summary>
    private static ModelConfig V2LiteSmall()
    {
        ModelConfig lite = V2Lite();
        return lite with
        {
            HiddenSize = 1024,
            IntermediateSize = 2816,
            Moe = lite.Moe! with { NumRoutedExperts = 32, NumExpertsPerTok = 4, MoeIntermediateSize = 416 },
        };
    }

    private static ModelConfig V3() => new()
    {
        ModelType = "deepseek_v3",
        VocabSize = 129280,
        HiddenSize = 7168,
        IntermediateSize = 18432,
        NumHiddenLayers = 61,
        NumAttentionHeads = 128,
        NumKeyValueHeads = 128,
        HeadDim = 192,
        MaxPositionEmbeddings = 163840,
        RmsNormEps = 1e-6f,
        Rope = DeepSeekYarn(1),
        Mla = new MlaConfig(1536, 512, 128, 64, 128),
        Moe = new MoeConfig
        {
            NumRoutedExperts = 256,
            NumExpertsPerTok = 8,
            MoeIntermediateSize = 2048,
            NumSharedExperts = 1,
            FirstKDenseReplace = 3,
            ScoringFunc = ScoringFunc.Sigmoid,
            TopkMethod = TopkMethod.NoauxTc,
            NumGroups = 8,
            TopkGroup = 4,
            NormTopkProb = true,
            RoutedScalingFactor = 2.5f,
        },
        Fp8BlockSize = (128, 128),
    };
}
