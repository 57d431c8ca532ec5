using Hadal.Engine;

namespace Hadal.Server.Generation;

/// <param name="PromptIndex">Which prompt of the HTTP request; the event's own ChoiceIndex counts within it.</param>
internal readonly record struct PromptEvent(int PromptIndex, GenerationEvent Event);
