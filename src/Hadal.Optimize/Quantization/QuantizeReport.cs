using System.Globalization;
using System.Text;
using System.Text.Json;
using Hadal.Optimize.Recipes;
using Hadal.Optimize.Sensitivity;

namespace Hadal.Optimize.Quantization;

/// <summary>What was chosen for every unit and why, and what it cost.</summary>
public sealed record QuantizeReport
{
    public required string Source { get; init; }

    public required QuantRecipe Recipe { get; init; }

    public required string Calibration { get; init; }

    public required IReadOnlyList<UnitReport> Units { get; init; }

    public required long SourceBytes { get; init; }

    public required long OutputBytes { get; init; }

    public double Seconds { get; init; }

    /// <summary>Of the whole result, on text kept back; null where there was none.</summary>
    public Divergence? Divergence { get; init; }

    public double? BaseNll { get; init; }

    /// <summary>Every format that was tried, where a budget chose.</summary>
    public IReadOnlyList<UnitSensitivity> Tried { get; init; } = [];

    public IReadOnlyList<string> Notes { get; init; } = [];

    public string ToMarkdown()
    {
        var text = new StringBuilder();
        void Line(string line) => text.Append(line).Append('\n');
        string F(double v, string format) => v.ToString(format, CultureInfo.InvariantCulture);
        Line($"# Quantisation of {Source}");
        Line("");
        Line($"Method {(Recipe.Method == QuantMethod.Gptq ? "GPTQ" : "round to nearest")}, groups of {(Recipe.GroupSize == 0 ? "whole rows" : Recipe.GroupSize)}"
            + (Recipe.Smooth is { } alpha ? $", SmoothQuant α {F(alpha, "0.##")}" : "") + (Recipe.ActivationAware ? ", activation-aware scales" : "") + $"; calibration: {Calibration}.");
        Line($"{SourceBytes:N0} → {OutputBytes:N0} bytes ({F(100.0 * OutputBytes / Math.Max(1, SourceBytes), "0.0")} %), {F(Seconds, "0.0")} s.");
        if (Divergence is { } d)
        {
            Line($"On text kept back: nll {F(BaseNll ?? 0, "0.00000")} {F(d.NllRise, "+0.00000;-0.00000")}, KL {F(d.Kl, "0.000000")}, top-1 agreement {F(100 * d.TopAgreement, "0.00")} %.");
        }

        foreach (string note in Notes)
        {
            Line("");
            Line($"Note: {note}");
        }

        Line("");
        Line("| unit | matrices | format | bytes | relative error | why |");
        Line("|---|---|---|---|---|---|");
        foreach (UnitReport u in Units)
        {
            Line($"| {u.Name} | {u.Matrices} | {WeightFormats.NameOf(u.Format)} | {u.Bytes:N0} | {(u.RelativeError is { } e ? F(e, "0.0000") : "–")} | {u.Why} |");
        }

        if (Tried.Count > 0)
        {
            Line("");
            Line("Tried, each alone, all else as stored:");
            Line("");
            Line("| units | format | KL | nll | top-1 | bytes |");
            Line("|---|---|---|---|---|---|");
            foreach (UnitSensitivity s in Tried.Where(s => s.Format != WeightFormat.Bf16))
            {
                Line($"| {s.Name} | {WeightFormats.NameOf(s.Format)} | {F(s.Divergence.Kl, "0.0000000")} | {F(s.Divergence.NllRise, "+0.000000;-0.000000")} | {F(100 * s.Divergence.TopAgreement, "0.00")} % | {s.Bytes:N0} |");
            }
        }

        return text.ToString();
    }

    public byte[] ToJson()
    {
        using var memory = new MemoryStream();
        using (var json = new Utf8JsonWriter(memory, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("source", Source);
            json.WriteString("calibration", Calibration);
            json.WriteNumber("source_bytes", SourceBytes);
            json.WriteNumber("output_bytes", OutputBytes);
            json.WriteNumber("seconds", Math.Round(Seconds, 3));
            if (Divergence is { } d)
            {
                json.WriteStartObject("kept_back");
                json.WriteNumber("base_nll", BaseNll ?? 0);
                Write(json, d);
                json.WriteEndObject();
            }

            json.WriteStartArray("notes");
            foreach (string note in Notes)
            {
                json.WriteStringValue(note);
            }

            json.WriteEndArray();
            json.WriteStartArray("units");
            foreach (UnitReport u in Units)
            {
                json.WriteStartObject();
                json.WriteString("name", u.Name);
                json.WriteNumber("matrices", u.Matrices);
                json.WriteString("format", WeightFormats.NameOf(u.Format));
                json.WriteNumber("bytes", u.Bytes);
                if (u.RelativeError is { } e)
                {
                    json.WriteNumber("relative_error", e);
                }

                json.WriteString("why", u.Why);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("tried");
            foreach (UnitSensitivity s in Tried)
            {
                json.WriteStartObject();
                json.WriteStartArray("units");
                foreach (QuantUnit u in s.Units)
                {
                    json.WriteStringValue(u.Name);
                }

                json.WriteEndArray();
                json.WriteString("format", WeightFormats.NameOf(s.Format));
                json.WriteNumber("bytes", s.Bytes);
                Write(json, s.Divergence);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return memory.ToArray();
    }

    private static void Write(Utf8JsonWriter json, Divergence d)
    {
        json.WriteNumber("kl", d.Kl);
        json.WriteNumber("nll_rise", d.NllRise);
        json.WriteNumber("top1_agreement", d.TopAgreement);
    }
}
