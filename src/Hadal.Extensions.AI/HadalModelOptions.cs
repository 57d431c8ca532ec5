using Hadal.Engine;
using Hadal.Formats.Chat.Tools;
using Hadal.Graph.Cpu;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Extensions.AI;

/// <summary>How a model is loaded and run within this process.</summary>
public sealed record HadalModelOptions
{
    /// <summary>As <c>hadal serve</c> loads: packed for the fastest kernels of this machine, whose inputs are rounded to bf16 or int8.</summary>
    public LoadOptions Load { get; init; } = new() { Cpu = new CpuOptions { Pack = true, KvDType = DType.Bf16 } };

    /// <summary>Limits of the engine: how many answers are made at once, how many requests may wait. Its end tokens and decoder are set from the model.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>How the model writes tool calls; null for what its template and vocabulary show. Of use for a model that shows nothing and knows how, or is held to it.</summary>
    public ToolCallFormat? ToolCallFormat { get; init; }

    /// <summary>What clients call the model; null for the folder's or file's name.</summary>
    public string? ModelId { get; init; }
}
