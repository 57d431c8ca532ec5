namespace Hadal.Formats.Config;

public enum RopeType
{
    Default,
    Linear,
    Llama3,
    Yarn,
    Dynamic,
}
