using System.Runtime.InteropServices;

namespace Hadal.Kernels.Sampling;

/// <summary>A change of one logit ahead of sampling, as the card reads it: bias, then penalties, then a ban.</summary>
/// <param name="Row">Row of the logits.</param>
/// <param name="Token">Column.</param>
/// <param name="Bias">Added.</param>
/// <param name="Repetition">Divides what is above 0 then and multiplies the rest; 1 for none.</param>
/// <param name="Minus">Subtracted then: the frequency and presence penalties.</param>
/// <param name="Banned">1: the logit becomes -infinity.</param>
[StructLayout(LayoutKind.Sequential)]
public readonly record struct LogitEdit(int Row, int Token, float Bias, float Repetition, float Minus, int Banned);
