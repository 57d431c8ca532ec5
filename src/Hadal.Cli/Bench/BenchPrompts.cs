using System.Text.Json;
using System.Text.Json.Nodes;
using Hadal.Cli.Session;
using Hadal.Formats.Chat;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;
using Hadal.Numerics;

namespace Hadal.Cli.Bench;

/// <summary>Prompts that make a model say what it says to people: acceptance over random tokens means nothing.</summary>
internal static class BenchPrompts
{
    // One for each kind of thing that models are asked for: prose, sums, lists, repetition of what was said.
    private static readonly string[] s_default =
    [
        "Tell me a story about a cat.",
        "What is 12 + 7?",
        "Tom has 3 apples and buys 4 more. How many has he?",
        "List four tools.",
        "Tell me a story about a girl who finds a lost dog in the forest.",
        "Say the word tree five times.",
        "What is the opposite of hot?",
        "Tell me a story about two friends and a boat.",
    ];

    /// <param name="file">A JSON object with "prompt", and "answer" where it is known, on each line; null for a few prompts of our own.</param>
    /// <param name="most">Lines to take; 0 for all.</param>
    public static IReadOnlyList<BenchPrompt> Read(FileInfo? file, int most, ModelSession session)
    {
        ITokenizer tokenizer = session.RequireTokenizer();
        IChatTemplate? template = CheckpointText.LoadChatTemplate(session.Checkpoint!);
        IEnumerable<(string Prompt, string? Answer)> all = file is null ? s_default.Select(p => (p, (string?)null)) : Lines(file.FullName);
        List<BenchPrompt> prompts = [.. (most > 0 ? all.Take(most) : all).Select(p => new BenchPrompt(Tokens(p.Prompt), p.Answer))];
        return prompts.Count > 0 ? prompts : throw new HadalException($"{file!.FullName}: holds no prompt; expected a JSON object with \"prompt\" on each line.");

        int[] Tokens(string text)
        {
            int[] tokens = template is null
                ? tokenizer.Encode(text, addSpecialTokens: true)
                : tokenizer.Encode(template.Render(new JsonArray(new JsonObject { ["role"] = "user", ["content"] = text }), addGenerationPrompt: true));
            return tokens.Length > 0 && tokens.Length < session.Runner.MaxContextLen
                ? tokens
                : throw new HadalException($"A prompt has {tokens.Length} tokens; it must have at least one, and fewer than the context of {session.Runner.MaxContextLen}.");
        }
    }

    private static IEnumerable<(string Prompt, string? Answer)> Lines(string path)
    {
        int number = 0;
        foreach (string line in StrictText.Read(path).Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            JsonObject? fields;
            try
            {
                fields = JsonNode.Parse(line) as JsonObject;
            }
            catch (JsonException e)
            {
                throw new HadalException($"{path}, line {number}: is no JSON: {e.Message}", e);
            }

            yield return fields?["prompt"] is JsonValue prompt && prompt.TryGetValue(out string? text)
                ? (text, fields["answer"] is JsonValue answer && answer.TryGetValue(out string? known) ? known : null)
                : throw new HadalException($"{path}, line {number}: has no \"prompt\" that is a text.");
        }
    }
}
