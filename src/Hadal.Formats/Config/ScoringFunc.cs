namespace Hadal.Formats.Config;

public enum ScoringFunc
{
    Softmax,
    Sigmoid,
}
