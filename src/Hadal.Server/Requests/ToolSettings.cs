using System.Text.Json.Nodes;
using Hadal.Formats.Chat.Tools;

namespace Hadal.Server.Requests;

/// <summary>The tools of a chat request.</summary>
/// <param name="Tools">As they were sent, for the template.</param>
/// <param name="Functions">Names, and the schemas of their arguments; null for any.</param>
/// <param name="Format">How the model writes calls.</param>
/// <param name="IsRequired">The answer must be calls (<c>tool_choice</c> required, or a function's name).</param>
/// <param name="Named">The only function that may be called; null for any.</param>
/// <param name="AllowsSeveral"><c>parallel_tool_calls</c>.</param>
internal sealed record ToolSettings(
    JsonArray Tools, IReadOnlyList<(string Name, JsonNode? Parameters)> Functions, ToolCallFormat Format, bool IsRequired, string? Named, bool AllowsSeveral)
{
    /// <summary>The functions that may be called.</summary>
    public IReadOnlyList<(string Name, JsonNode? Parameters)> Callable => Named is null ? Functions : [.. Functions.Where(f => f.Name == Named)];
}
