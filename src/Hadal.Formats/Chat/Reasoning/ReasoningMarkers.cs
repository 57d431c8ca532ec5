using Hadal.Formats.Tokenization;

namespace Hadal.Formats.Chat.Reasoning;

/// <summary>The strings a model writes around its thinking.</summary>
public sealed record ReasoningMarkers(string Open, string Close)
{
    public static ReasoningMarkers Think { get; } = new("<think>", "</think>");

    /// <summary>
    /// The markers of a model whose chat template speaks of them; null for a model that does not think. The template decides and not
    /// the vocabulary: DeepSeek-V3 has the tokens of R1 and was never trained to use them.
    /// </summary>
    public static ReasoningMarkers? Detect(ITokenizer tokenizer, IChatTemplate? template)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        return template is not null && template.Source.Contains(Think.Close, StringComparison.Ordinal) && tokenizer.TryGetId(Think.Close, out _) ? Think : null;
    }
}
