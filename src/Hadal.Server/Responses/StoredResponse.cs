using System.Text.Json.Nodes;

namespace Hadal.Server.Responses;

/// <param name="Owner">Whose key asked for it: nobody else finds it.</param>
/// <param name="Json">The response as it was sent.</param>
/// <param name="Messages">The conversation up to its end, as text: many requests may go on from it at once.</param>
internal sealed record StoredResponse(string Owner, byte[] Json, string Messages)
{
    public long Bytes => Json.Length + Messages.Length * 2L;

    public JsonArray CopyMessages() => (JsonArray)JsonNode.Parse(Messages)!;
}
