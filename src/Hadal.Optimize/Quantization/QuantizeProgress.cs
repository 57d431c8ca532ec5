namespace Hadal.Optimize.Quantization;

/// <param name="Stage">What is being done.</param>
/// <param name="Done">How much of it.</param>
/// <param name="Total">Of how much.</param>
/// <param name="DoneBefore">Of what is done, what an earlier run did.</param>
/// <param name="Unit">What is counted: bytes, or things.</param>
public readonly record struct QuantizeProgress(string Stage, long Done, long Total, long DoneBefore, string Unit);
