using Hadal.Engine;
using Hadal.Engine.Constraints;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>What one HTTP request asks of the engine: the same parameters for one or more prompts.</summary>
internal sealed record GenerationJob(string Id, ServedModel Model, IReadOnlyList<int[]> Prompts, SamplingParams Sampling, long CreatedUnixSeconds)
{
    /// <summary>What each answer is held to; null for nothing.</summary>
    public Func<ITokenConstraint>? CreateConstraint { get; init; }

    /// <summary>What the request asks for; the pipeline adds what its caller may.</summary>
    public RequestTerms Terms { get; init; }

    /// <summary>Whose request it is, for fair shares.</summary>
    public string Tenant { get; init; } = "";

    public int NumChoices => Prompts.Count * Sampling.N;

    public int ChoiceOf(in PromptEvent e) => e.PromptIndex * Sampling.N + e.Event.ChoiceIndex;
}
