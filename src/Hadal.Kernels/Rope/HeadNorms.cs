namespace Hadal.Kernels.Rope;

/// <summary>Weights of the RMSNorm over each head of q and of k, [D] f32 on the card, aligned to 16 bytes.</summary>
public readonly record struct HeadNorms(nint Q, nint K, float Eps);
