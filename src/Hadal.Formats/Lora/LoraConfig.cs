namespace Hadal.Formats.Lora;

/// <summary>What adapter_config.json says of ranks and scales.</summary>
internal sealed class LoraConfig
{
    public required int Rank { get; init; }

    public required double Alpha { get; init; }

    public required bool UseRslora { get; init; }

    /// <summary>Ends of module names; null where <see cref="TargetPattern"/> says it.</summary>
    public required IReadOnlyList<string>? TargetModules { get; init; }

    /// <summary>Null, without <see cref="TargetModules"/>: all linear ones.</summary>
    public required LoraPattern? TargetPattern { get; init; }

    public required IReadOnlyList<(LoraPattern Pattern, double Value)> RankPattern { get; init; }

    public required IReadOnlyList<(LoraPattern Pattern, double Value)> AlphaPattern { get; init; }

    public bool IsTarget(string module)
        => TargetModules is { } ends
            ? ends.Any(end => module == end || (module.EndsWith(end, StringComparison.Ordinal) && module[module.Length - end.Length - 1] == '.'))
            : TargetPattern is null || TargetPattern.Matches(module);

    public int RankOf(string module) => (int)(First(RankPattern, module) ?? Rank);

    public double ScaleOf(string module)
    {
        double rank = RankOf(module);
        return (First(AlphaPattern, module) ?? Alpha) / (UseRslora ? Math.Sqrt(rank) : rank);
    }

    private static double? First(IReadOnlyList<(LoraPattern Pattern, double Value)> patterns, string module)
    {
        foreach ((LoraPattern pattern, double value) in patterns)
        {
            if (pattern.Matches(module))
            {
                return value;
            }
        }

        return null;
    }
}
