namespace Hadal.Engine.Tests.Fakes;

/// <summary>One choice of a request, collected; made only from a stream that kept the rules.</summary>
internal sealed record Answer(int[] Tokens, string Text, FinishReason Reason, GenerationEvent Last, IReadOnlyList<GenerationEvent> Events);
