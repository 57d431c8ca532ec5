namespace Hadal.Kernels.Moe;

/// <summary>How a token chooses its experts.</summary>
/// <param name="NumExperts">E.</param>
/// <param name="TopK">Experts a token uses.</param>
/// <param name="Sigmoid">Scores are sigmoid(logit), else softmax over the experts.</param>
/// <param name="NumGroups">Groups of E / NumGroups experts; 1 for no grouping.</param>
/// <param name="TopkGroup">Groups a token may use.</param>
/// <param name="GroupScoreTopTwo">A group's score is the sum of its two largest (V3), else its largest (V2).</param>
/// <param name="NormTopkProb">Weights are divided by their sum.</param>
/// <param name="ScalingFactor">Weights are multiplied by this.</param>
public readonly record struct RouterConfig(
    int NumExperts, int TopK, bool Sigmoid, int NumGroups, int TopkGroup, bool GroupScoreTopTwo, bool NormTopkProb, float ScalingFactor);
