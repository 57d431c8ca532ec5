using System.Globalization;
using Hadal.Numerics;

namespace Hadal.Optimize.Sensitivity;

/// <summary>What a mix of formats must keep to.</summary>
/// <param name="Kind">What is limited.</param>
/// <param name="Limit">Bytes of the checkpoint; nats a token above the base; or milliseconds a decoded token.</param>
public sealed record QuantBudget(QuantBudgetKind Kind, double Limit)
{
    /// <exception cref="HadalException">It says nothing that is known.</exception>
    public static QuantBudget Parse(string text)
    {
        string[] parts = text.Split(':', 2);
        string value = parts.Length == 2 ? parts[1].Trim() : "";
        HadalException Wrong(string what) => new($"--budget {text}: {what}; write bytes:12MiB, bytes:55%, nll:+0.003 or latency:5.8ms.");
        switch (parts[0].Trim())
        {
            case "nll":
                return Number(value.TrimStart('+')) is { } nll and > 0 and <= 10 ? new QuantBudget(QuantBudgetKind.NllRise, nll) : throw Wrong("expected a rise in nats a token between 0 and 10");
            case "latency":
                return value.EndsWith("ms", StringComparison.Ordinal) && Number(value[..^2]) is { } ms and > 0 ? new QuantBudget(QuantBudgetKind.LatencyMs, ms) : throw Wrong("expected milliseconds a token");
            case "bytes" when value.EndsWith('%'):
                return Number(value[..^1]) is { } share and > 0 and < 100 ? new QuantBudget(QuantBudgetKind.Share, share / 100) : throw Wrong("expected a share of the base's bytes between 0% and 100%");
            case "bytes":
                (string suffix, double unit)[] units = [("KiB", 1024), ("MiB", 1 << 20), ("GiB", 1 << 30), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("B", 1), ("", 1)];
                (string suffix, double scale) = units.First(u => value.EndsWith(u.suffix, StringComparison.OrdinalIgnoreCase));
                return Number(value[..^suffix.Length]) is { } bytes and > 0 ? new QuantBudget(QuantBudgetKind.Bytes, bytes * scale) : throw Wrong("expected a size");
            default:
                throw Wrong("is none");
        }
    }

    private static double? Number(string text)
        => double.TryParse(text.Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double v) && double.IsFinite(v) ? v : null;
}
