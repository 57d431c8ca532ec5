using Hadal.Engine;

namespace Hadal.Server.Generation;

/// <summary>What one HTTP request asks of the engine: the same parameters for one or more prompts.</summary>
internal sealed record GenerationJob(string Id, ServedModel Model, IReadOnlyList<int[]> Prompts, SamplingParams Sampling, long CreatedUnixSeconds)
{
    public int NumChoices => Prompts.Count * Sampling.N;

    public int ChoiceOf(in PromptEvent e) => e.PromptIndex * Sampling.N + e.Event.ChoiceIndex;
}
