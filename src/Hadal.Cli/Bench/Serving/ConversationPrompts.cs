using System.Text.Json;
using Hadal.Cli.Session;
using Hadal.Numerics;

namespace Hadal.Cli.Bench.Serving;

/// <summary>
/// The first turns of recorded conversations, one JSON object a line, in an order the seed gives. A line is ShareGPT's
/// <c>{"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}]}</c>, or <c>{"messages": [{"role", "content"}]}</c>,
/// or <c>{"prompt", "output_len"}</c>. The recorded answer says how long the answer may be, unless the command line does.
/// </summary>
internal sealed class ConversationPrompts : IPromptSource
{
    private readonly BenchPrompt[] _prompts;

    private ConversationPrompts(BenchPrompt[] prompts) => _prompts = prompts;

    public int Count => _prompts.Length;

    /// <param name="file">The file's path.</param>
    /// <param name="outputTokens">Tokens of every answer; null for those of the recorded one.</param>
    /// <param name="cost">What the recorded answers' words are in tokens.</param>
    /// <param name="seed">Of the order.</param>
    public static ConversationPrompts Read(string file, int? outputTokens, TokensPerWord cost, int seed)
    {
        var prompts = new List<BenchPrompt>();
        int number = 0;
        foreach (string line in StrictText.Read(file).Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                using JsonDocument document = JsonDocument.Parse(line);
                if (Read(document.RootElement, outputTokens, cost) is { } prompt)
                {
                    prompts.Add(prompt);
                }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
            {
                throw new HadalException($"{file}:{number}: is no conversation: {e.Message} Expected a JSON object with 'conversations', 'messages' or 'prompt'.", e);
            }
        }

        if (prompts.Count == 0)
        {
            throw new HadalException($"{file}: holds no conversation that begins with a user's turn.");
        }

        BenchPrompt[] shuffled = [.. prompts];
        new Random(seed).Shuffle(shuffled);
        return new ConversationPrompts(shuffled);
    }

    public BenchPrompt Get(long index) => _prompts[index % _prompts.Length];

    private static BenchPrompt? Read(JsonElement line, int? outputTokens, TokensPerWord cost)
    {
        if (line.TryGetProperty("prompt", out JsonElement text))
        {
            int? own = line.TryGetProperty("output_len", out JsonElement length) ? length.GetInt32() : null;
            return new BenchPrompt(text.GetString()!, outputTokens ?? own);
        }

        bool isShareGpt = line.TryGetProperty("conversations", out JsonElement turns);
        if (!isShareGpt)
        {
            turns = line.GetProperty("messages");
        }

        (string role, string content) = isShareGpt ? ("from", "value") : ("role", "content");
        string? question = null;
        foreach (JsonElement turn in turns.EnumerateArray())
        {
            string who = turn.GetProperty(role).GetString()!;
            if (who is "human" or "user" && question is null)
            {
                question = turn.GetProperty(content).GetString();
            }
            else if (question is not null)
            {
                string answer = turn.GetProperty(content).GetString() ?? "";
                int words = answer.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
                return new BenchPrompt(question, outputTokens ?? cost.TokensFor(words));
            }
        }

        return string.IsNullOrEmpty(question) ? null : new BenchPrompt(question, outputTokens);
    }
}
