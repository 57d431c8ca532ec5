using System.Globalization;

namespace Hadal.Cli.Bench.Serving;

/// <summary>What a request must keep to count as good, in milliseconds; null asks nothing.</summary>
internal sealed record SloTargets(double? TtftMs, double? TpotMs, double? E2eMs)
{
    public const string Syntax = "ttft:MS, tpot:MS or e2e:MS";

    /// <returns>Null with <paramref name="error"/> where a part is not understood; null without where there are none.</returns>
    public static SloTargets? Parse(IReadOnlyList<string> parts, out string? error)
    {
        var slo = new SloTargets(null, null, null);
        error = null;
        foreach (string part in parts)
        {
            string[] pair = part.Split(':', 2);
            if (pair.Length != 2 || !double.TryParse(pair[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double ms) || !(ms > 0) || !double.IsFinite(ms))
            {
                error = $"'{part}': expected {Syntax} with a number above 0";
                return null;
            }

            switch (pair[0])
            {
                case "ttft": slo = slo with { TtftMs = ms }; break;
                case "tpot": slo = slo with { TpotMs = ms }; break;
                case "e2e" or "e2el": slo = slo with { E2eMs = ms }; break;
                default:
                    error = $"'{part}': expected {Syntax}";
                    return null;
            }
        }

        return parts.Count == 0 ? null : slo;
    }

    public bool AreMet(RequestOutcome request)
        => request.IsSuccess
            && (TtftMs is null || request.Ttft?.TotalMilliseconds <= TtftMs)
            && (TpotMs is null || request.OutputTokens <= 1 || request.Tpot?.TotalMilliseconds <= TpotMs)
            && (E2eMs is null || request.E2e.TotalMilliseconds <= E2eMs);
}
