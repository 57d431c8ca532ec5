using Hadal.Numerics;

namespace Hadal.Formats.Lora;

/// <summary>The low-rank pair of one matrix: W becomes W + Scale · B · A.</summary>
/// <param name="Name">The module's path in the base model: <c>model.layers.0.self_attn.q_proj</c>.</param>
/// <param name="A">[r, K].</param>
/// <param name="B">[N, r].</param>
/// <param name="Scale">alpha / r, or alpha / √r with rank stabilisation (arXiv:2312.03732).</param>
public sealed record LoraModule(string Name, StoredTensor A, StoredTensor B, double Scale);
