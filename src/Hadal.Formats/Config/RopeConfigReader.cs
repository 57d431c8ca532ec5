using Hadal.Formats.Checkpoints;

namespace Hadal.Formats.Config;

/// <summary>Reads <c>rope_parameters</c> (newer files) or <c>rope_theta</c> with <c>rope_scaling</c>.</summary>
internal static class RopeConfigReader
{
    public static RopeConfig Read(ConfigObject c, bool interleaved, int maxPositions)
    {
        const string Newer = "rope_parameters";
        ConfigObject? parameters = c.OptionalObject(Newer);
        ConfigObject? scaling = parameters ?? c.OptionalObject("rope_scaling");
        if (scaling?.FirstNestedObject() is { } nested)
        {
            throw scaling.Value.Bad(HostileText.Quote(nested), "is an object", "expected numbers: rotary parameters per layer type are not supported");
        }

        double theta = parameters?.OptionalNumber("rope_theta", 1, ConfigLimits.RopeTheta)
            ?? c.OptionalNumber("rope_theta", 1, ConfigLimits.RopeTheta) ?? 10000;
        double partial = parameters?.OptionalNumber("partial_rotary_factor", 0, 1) ?? c.OptionalNumber("partial_rotary_factor", 0, 1) ?? 1;
        if (partial != 1)
        {
            throw c.Bad("partial_rotary_factor", $"is {partial}", "expected 1: rotating a part of each head is not supported");
        }

        var plain = new RopeConfig { Type = RopeType.Default, Theta = theta, Interleaved = interleaved, OriginalMaxPositionEmbeddings = maxPositions };
        if (scaling is not { } s)
        {
            return plain;
        }

        string name = s.OptionalString("rope_type") ?? s.OptionalString("type") ?? "default";
        RopeType type = name switch
        {
            "default" => RopeType.Default,
            "linear" => RopeType.Linear,
            "llama3" => RopeType.Llama3,
            "yarn" => RopeType.Yarn,
            "dynamic" => RopeType.Dynamic,
            _ => throw s.Bad("rope_type", $"is {HostileText.Quote(name)}", "expected default, linear, dynamic, llama3 or yarn"),
        };
        if (type == RopeType.Default)
        {
            return plain;
        }

        RopeConfig rope = plain with
        {
            Type = type,
            Factor = s.OptionalNumber("factor", 1, ConfigLimits.RopeFactor) ?? throw s.Bad("factor", "is missing", $"expected a number of at least 1 for rope_type {name}"),
            OriginalMaxPositionEmbeddings = s.OptionalInt("original_max_position_embeddings", 1, ConfigLimits.Positions)
                ?? c.OptionalInt("original_max_position_embeddings", 1, ConfigLimits.Positions) ?? maxPositions,
            BetaFast = s.OptionalNumber("beta_fast", 1e-3, 1e6) ?? plain.BetaFast,
            BetaSlow = s.OptionalNumber("beta_slow", 1e-3, 1e6) ?? plain.BetaSlow,
            Mscale = s.OptionalNumber("mscale", 0, 1e3),
            MscaleAllDim = s.OptionalNumber("mscale_all_dim", 0, 1e3),
            AttentionFactor = s.OptionalNumber("attention_factor", 1e-3, 1e3),
            Truncate = s.OptionalBool("truncate") ?? true,
            LowFreqFactor = s.OptionalNumber("low_freq_factor", 1e-3, 1e6) ?? plain.LowFreqFactor,
            HighFreqFactor = s.OptionalNumber("high_freq_factor", 1e-3, 1e6) ?? plain.HighFreqFactor,
        };
        if (type == RopeType.Yarn && rope.BetaFast <= rope.BetaSlow)
        {
            throw s.Bad("beta_fast", $"is {rope.BetaFast}", $"expected more than beta_slow ({rope.BetaSlow})");
        }

        if (type == RopeType.Llama3 && rope.HighFreqFactor <= rope.LowFreqFactor)
        {
            throw s.Bad("high_freq_factor", $"is {rope.HighFreqFactor}", $"expected more than low_freq_factor ({rope.LowFreqFactor})");
        }

        return rope;
    }
}
