using System.Runtime.InteropServices;

namespace Hadal.Kernels.Sampling;

/// <summary>How the token of one row of logits is chosen, as the card reads it.</summary>
/// <param name="Temperature">0: the largest logit, the lowest id among equals.</param>
/// <param name="TopP">Keep the fewest whose shares reach this, of what top-k left; 1 for all.</param>
/// <param name="MinP">Drop weights below this share of the largest.</param>
/// <param name="TopK">Keep so many; 0 for all.</param>
/// <param name="Uniform">The row's random number, in [0, 1).</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct SamplingRow(float Temperature, float TopP, float MinP, int TopK, double Uniform);
