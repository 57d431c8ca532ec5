using Hadal.Formats.Config;
using Hadal.Graph.Ir;
using Hadal.Models.Blocks;

namespace Hadal.Models;

/// <summary>
/// DeepSeek-V2, V2-Lite, V2.5 and Coder-V2 (arXiv:2405.04434): latent attention, with or without a compressed query; softmax router, greedy or by groups; shared experts.
/// </summary>
public sealed class DeepSeekV2 : IModelFamily
{
    public string ModelType => "deepseek_v2";

    public ModelGraph Build(ModelConfig config, bool keepHiddenStates = false) => DeepSeekTrunk.Build(config, keepHiddenStates);
}
