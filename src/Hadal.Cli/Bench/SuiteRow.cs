namespace Hadal.Cli.Bench;

/// <param name="Case">What was measured.</param>
/// <param name="Measured">The figure, of <paramref name="Unit"/>.</param>
/// <param name="Unit">tokens/s, %, or s.</param>
/// <param name="Must">What it should be at least (% and s: at most).</param>
/// <param name="Aim">What it should be.</param>
/// <param name="Bound">What limits it, with the limit.</param>
/// <param name="Share">Of the limit.</param>
/// <param name="LoadSeconds">How long the weights took to be made and loaded.</param>
internal sealed record SuiteRow(string Case, double Measured, string Unit, double Must, double Aim, string Bound, double? Share, double LoadSeconds);
