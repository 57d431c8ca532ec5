using System.Text;
using System.Text.Json.Nodes;
using Hadal.Formats.Chat;
using Hadal.Numerics;

namespace Hadal.Server.Tests.Fakes;

/// <summary>A template in the manner of DeepSeek-R1's. Refuses a conversation that begins with the assistant.</summary>
internal sealed class ToyTemplate(string generationPrompt = "<assistant><think>") : IChatTemplate
{
    public JsonObject? LastExtra { get; private set; }

    public string Source => "toy {{ '</think>' }}";

    public string Render(JsonArray messages, bool addGenerationPrompt, JsonArray? tools = null, JsonObject? extra = null)
    {
        LastExtra = extra;
        var prompt = new StringBuilder("<bos>");
        for (int i = 0; i < messages.Count; i++)
        {
            string role = messages[i]!["role"]!.GetValue<string>();
            string content = messages[i]!["content"]?.GetValue<string>() ?? "";
            if (i == 0 && role == "assistant")
                throw new HadalException("The assistant can't speak first.");
            prompt.Append(role switch
            {
                "user" => "<user>" + content,
                "assistant" => "<assistant>" + content + "<eos>",
                _ => content,
            });
        }

        return prompt.Append(addGenerationPrompt ? generationPrompt : "").ToString();
    }
}
