using System.Text.Json;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary>How long a model may think: <c>max_reasoning_tokens</c>, <c>thinking_budget_tokens</c>, <c>reasoning_effort</c>.</summary>
internal static class ReasoningReader
{
    private const int Minimal = 512, Low = 1024, Medium = 4096;

    /// <summary>Tokens of thinking at the most; null for no limit. The number goes before the effort.</summary>
    public static int? Budget(JsonFields body)
    {
        int? tokens = body.Int("max_reasoning_tokens", 0, int.MaxValue);
        int? thinking = body.Int("thinking_budget_tokens", 0, int.MaxValue);
        if (tokens is not null && thinking is not null && tokens != thinking)
            throw ApiException.Invalid("thinking_budget_tokens", "'max_reasoning_tokens' and 'thinking_budget_tokens' are the same thing and differ. Send one.", "invalid_value");
        string? effort = Effort(body);
        return tokens ?? thinking ?? effort switch
        {
            "none" => 0,
            "minimal" => Minimal,
            "low" => Low,
            "medium" => Medium,
            _ => null,
        };
    }

    /// <summary>Whether the effort asks for thinking; null where it is not given, and templates decide.</summary>
    public static bool? Thinks(JsonFields body) => Effort(body) is { } effort ? effort != "none" : null;

    private static string? Effort(JsonFields body)
    {
        string? effort = body.String("reasoning_effort");

        // DeepSeek's own switch. The effort says more and goes before.
        if (body.TryGet("thinking", JsonValueKind.Object, out var thinking))
        {
            string type = new JsonFields(thinking, "thinking.").RequiredString("type");
            if (type is not ("enabled" or "disabled"))
                throw ApiException.Invalid("thinking.type", $"'thinking.type' is '{ApiException.Shorten(type)}'; enabled or disabled is expected.", "invalid_value");
            effort ??= type == "disabled" ? "none" : "high";
        }

        return effort is null or "none" or "minimal" or "low" or "medium" or "high" or "xhigh"
            ? effort
            : throw ApiException.Invalid("reasoning_effort", $"'reasoning_effort' is '{ApiException.Shorten(effort)}'; none, minimal, low, medium, high or xhigh is expected.", "invalid_value");
    }
}
