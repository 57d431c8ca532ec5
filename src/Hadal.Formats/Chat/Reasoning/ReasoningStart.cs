namespace Hadal.Formats.Chat.Reasoning;

/// <summary>Where an answer stands in regard to its thinking when it begins.</summary>
public enum ReasoningStart
{
    /// <summary>It thinks if its text begins with the opening marker.</summary>
    Undecided,

    /// <summary>The prompt ends with the opening marker (DeepSeek-R1's template).</summary>
    BehindOpen,

    /// <summary>The prompt ends with the closing marker (Qwen3's template without thinking).</summary>
    BehindClose,

    /// <summary>The prompt ends amid thoughts that the answer continues.</summary>
    AmidReasoning,

    /// <summary>The prompt ends amid content that the answer continues.</summary>
    AmidContent,
}
