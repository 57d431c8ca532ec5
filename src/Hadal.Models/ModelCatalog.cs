using Hadal.Formats.Config;
using Hadal.Numerics;

namespace Hadal.Models;

/// <summary>The families there are.</summary>
public static class ModelCatalog
{
    public static IReadOnlyList<IModelFamily> Families { get; } = [new DeepSeekV2(), new DeepSeekV3(), new Llama(), new Qwen2(), new Qwen3()];

    /// <exception cref="HadalException">No family has this model type.</exception>
    public static IModelFamily Find(ModelConfig config) => Families.FirstOrDefault(f => f.ModelType == config.ModelType)
        ?? throw new HadalException($"model_type '{config.ModelType}' is not supported; supported are {string.Join(", ", Families.Select(f => f.ModelType))}.");
}
