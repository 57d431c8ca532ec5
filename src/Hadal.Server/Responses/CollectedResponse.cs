using System.Text.Json;
using Hadal.Formats.Chat.Tools;
using Hadal.Server.Generation;

namespace Hadal.Server.Responses;

/// <summary>A whole <c>response</c>.</summary>
internal sealed class CollectedResponse(ResponseBuilder response, Action<ResponseBuilder> whenWhole) : ICollectedAnswer
{
    public void Add(in PromptEvent e)
    {
        var delta = response.Append(e);
        Add(ResponseItemKind.Reasoning, delta.Reasoning);
        Add(ResponseItemKind.Message, delta.Content);
        foreach (ToolCallDelta call in response.Calls)
        {
            if (call.Name is not null)
                response.Output.Begin(new ResponseItem(ResponseItemKind.FunctionCall, call.Id, call.Name));
            response.Output.Items[^1].Text.Append(call.Arguments);
        }
    }

    public void WriteTo(Utf8JsonWriter json)
    {
        whenWhole(response);
        response.Write(json);
    }

    private void Add(ResponseItemKind kind, string text)
    {
        if (text.Length == 0)
            return;
        var item = response.Output.Open is { } open && open.Kind == kind ? open : response.Output.Begin(new ResponseItem(kind));
        item.Text.Append(text);
    }
}
