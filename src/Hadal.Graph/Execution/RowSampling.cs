namespace Hadal.Graph.Execution;

/// <summary>How the next token is chosen from one row of logits, where nothing but the row decides: no penalties, no bans, no biases.</summary>
/// <param name="Temperature">0 for the most likely token.</param>
/// <param name="TopK">Keep this many most likely; 0 for all.</param>
/// <param name="TopP">Keep the most likely that make up this share.</param>
/// <param name="MinP">Keep those at least this likely, relative to the most likely.</param>
/// <param name="Uniform">The random number, in [0, 1).</param>
/// <param name="Skip">The caller wants the logits instead, or nothing of this row.</param>
public readonly record struct RowSampling(float Temperature, int TopK, float TopP, float MinP, double Uniform, bool Skip = false);
