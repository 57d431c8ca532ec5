namespace Hadal.Optimize.Sensitivity;

/// <summary>How far a model is from the one it was made of, over a text.</summary>
/// <param name="Kl">Mean KL divergence of its next-token distribution from the base's, nats.</param>
/// <param name="NllRise">What its negative log-likelihood of the text is above the base's, nats a token.</param>
/// <param name="TopAgreement">Share of positions at which both think the same token likeliest.</param>
public readonly record struct Divergence(double Kl, double NllRise, double TopAgreement);
