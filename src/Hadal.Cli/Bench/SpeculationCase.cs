namespace Hadal.Cli.Bench;

/// <param name="Batch">Answers made at once.</param>
/// <param name="Temperature">Of both runs.</param>
/// <param name="Tokens">Tokens of all answers, of one repetition without speculation.</param>
/// <param name="PlainTokensPerSecond">Without speculation: median of the repetitions.</param>
/// <param name="TokensPerSecond">With it.</param>
/// <param name="SpeedUp">Their ratio, median over repetitions that took turns.</param>
/// <param name="PlainTokensPerProcessorSecond">Tokens a second of processor time, without speculation: what a busy host leaves comparable, with --threads 1 (further workers spend time waiting).</param>
/// <param name="TokensPerProcessorSecond">With it.</param>
/// <param name="Drafted">Guesses verified, in all repetitions.</param>
/// <param name="Accepted">Of them, those that became tokens.</param>
/// <param name="AcceptanceByPosition">Share of the guesses accepted at each place of a draft.</param>
/// <param name="SameAnswers">Answers that are the same with and without, of one repetition.</param>
/// <param name="Answers">Answers there are.</param>
/// <param name="PlainExactMatch">Share of right answers without speculation, where the prompts come with answers.</param>
/// <param name="ExactMatch">With it.</param>
internal sealed record SpeculationCase(
    int Batch,
    float Temperature,
    int Tokens,
    double PlainTokensPerSecond,
    double TokensPerSecond,
    double SpeedUp,
    double PlainTokensPerProcessorSecond,
    double TokensPerProcessorSecond,
    long Drafted,
    long Accepted,
    IReadOnlyList<double> AcceptanceByPosition,
    int SameAnswers,
    int Answers,
    double? PlainExactMatch,
    double? ExactMatch);
