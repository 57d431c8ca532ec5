using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Formats.Config;

/// <summary>The model families that can be read, and how <c>architectures</c> names them.</summary>
internal static class ModelTypes
{
    public const string DeepseekV2 = "deepseek_v2";
    public const string DeepseekV3 = "deepseek_v3";
    public const string Llama = "llama";
    public const string Qwen2 = "qwen2";
    public const string Qwen3 = "qwen3";

    private static readonly (string ModelType, string Architecture)[] _known =
    [
        (DeepseekV2, "DeepseekV2ForCausalLM"),
        (DeepseekV3, "DeepseekV3ForCausalLM"),
        (Llama, "LlamaForCausalLM"),
        (Qwen2, "Qwen2ForCausalLM"),
        (Qwen3, "Qwen3ForCausalLM"),
    ];

    private static string Supported => string.Join(", ", _known.Select(k => k.ModelType));

    /// <summary>Decides by <c>model_type</c> and <c>architectures</c>, which must agree where both are given.</summary>
    public static string Resolve(ConfigObject config)
    {
        string? type = config.OptionalString("model_type");
        List<string> architectures = config.OptionalStrings("architectures", 16) ?? [];
        if (type is null && architectures.Count == 0)
        {
            throw config.Bad("model_type", "is missing", $"expected one of {Supported}");
        }

        foreach ((string modelType, string architecture) in _known)
        {
            bool byType = type == modelType;
            bool byArchitecture = architectures.Contains(architecture);
            if ((byType && (byArchitecture || architectures.Count == 0)) || (type is null && byArchitecture))
            {
                return modelType;
            }

            if (byType)
            {
                throw config.Bad("architectures", $"is {HostileText.Quote(string.Join(", ", architectures))}", $"expected {architecture} for model_type {modelType}: this checkpoint is not a plain language model of that family");
            }
        }

        string found = type is null ? $"architectures {HostileText.Quote(string.Join(", ", architectures))}" : $"model_type {HostileText.Quote(type)}";
        throw new HadalException($"{config.File}: {found} is not supported; supported are {Supported}");
    }
}
