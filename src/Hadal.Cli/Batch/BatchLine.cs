namespace Hadal.Cli.Batch;

/// <summary>One request of a batch file.</summary>
/// <param name="CustomId">The caller's name for it, which its answer carries.</param>
/// <param name="Url">The route.</param>
/// <param name="Body">JSON of the request's body; empty where <paramref name="Error"/> says what is wrong.</param>
/// <param name="Error">Why it cannot be sent: code and message; null for one that can.</param>
internal sealed record BatchLine(string CustomId, string Url, byte[] Body, (string Code, string Message)? Error);
