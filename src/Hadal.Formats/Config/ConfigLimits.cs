namespace Hadal.Formats.Config;

/// <summary>
/// Upper bounds for what a configuration may say. Each is far above any published model and low enough that the products
/// taken of them (rows times columns, layers times heads times positions) stay within 63 bits.
/// </summary>
internal static class ConfigLimits
{
    public const int VocabSize = 1 << 24;
    public const int Width = 1 << 20;
    public const int Layers = 4096;
    public const int Heads = 1 << 14;
    public const int HeadDim = 1 << 14;
    public const int Experts = 1 << 14;
    public const int Positions = 1 << 28;
    public const int EosIds = 256;
    public const int FileBytes = 16 << 20;
    public const double RopeTheta = 1e15;
    public const double RopeFactor = 1e6;
}
