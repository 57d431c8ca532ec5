namespace Hadal.Formats.Chat.Jinja;

/// <summary>The value of what is not there: prints as nothing, is false and empty, and is an error to look into.</summary>
/// <param name="Reason">What to say when it is looked into.</param>
internal sealed record JinjaUndefined(string Reason);
