namespace Hadal.Server.Requests;

/// <param name="Prompt">The rendered text.</param>
/// <param name="Continued">The part of an assistant's turn that the answer goes on from (<c>continue_final_message</c>); null for a new turn.</param>
/// <param name="Tools">What the model may call; null for nothing.</param>
internal sealed record Conversation(string Prompt, string? Continued, ToolSettings? Tools);
