using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>Turns thinking on or off where a model's template has a switch for it: <c>thinking</c> (DeepSeek-V3.1), <c>enable_thinking</c> (Qwen3).</summary>
internal static class ReasoningSwitch
{
    private static readonly string[] s_names = ["enable_thinking", "thinking"];

    public static JsonObject? Apply(IChatTemplate template, ReasoningOptions? reasoning, JsonObject? variables)
    {
        if (reasoning?.Effort is not { } effort)
            return variables;
        bool thinks = effort != ReasoningEffort.None;
        foreach (string name in s_names)
        {
            if (HasVariable(template.Source, name))
                (variables ??= [])[name] = thinks;
        }

        return variables;
    }

    /// <summary>As a name of its own: <c>thinking</c> stands within many words.</summary>
    private static bool HasVariable(string source, string name)
    {
        for (int at = source.IndexOf(name, StringComparison.Ordinal); at >= 0; at = source.IndexOf(name, at + 1, StringComparison.Ordinal))
        {
            char before = at == 0 ? ' ' : source[at - 1], after = at + name.Length < source.Length ? source[at + name.Length] : ' ';
            if (!IsPart(before) && !IsPart(after))
                return true;
        }

        return false;

        static bool IsPart(char c) => char.IsLetterOrDigit(c) || c is '_' or '<' or '/' or '\'' or '"';
    }
}
