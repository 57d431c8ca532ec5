namespace Hadal.Server;

/// <summary>What becomes of a model's thinking in chat answers.</summary>
public enum ReasoningMode
{
    /// <summary>Split off into <c>reasoning_content</c> where the model has markers for it.</summary>
    Auto,

    /// <summary>Left in <c>content</c>, markers included.</summary>
    Off,
}
