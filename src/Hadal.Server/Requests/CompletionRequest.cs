using System.Text.Json;
using Hadal.Engine;
using Hadal.Engine.Constraints;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

internal sealed record CompletionRequest
{
    // As the OpenAI API: completions have always stopped this early unless told otherwise.
    private const int DefaultMaxTokens = 16;

    public required ServedModel Model { get; init; }

    public required int[][] Prompts { get; init; }

    /// <summary>The prompts as text, for <c>echo</c>; null otherwise.</summary>
    public required string[]? EchoTexts { get; init; }

    public required SamplingParams Sampling { get; init; }

    public required StreamOptions Streaming { get; init; }

    /// <summary><c>max_tokens: 0</c> with <c>echo</c>: the prompt is scored and nothing is said. The engine generates one token, which is not shown.</summary>
    public required bool PromptOnly { get; init; }

    /// <summary>What each answer is held to; null for nothing.</summary>
    public required Func<ITokenConstraint>? CreateConstraint { get; init; }

    public static CompletionRequest Read(JsonFields body, ServedModel model, HadalServerOptions options)
    {
        var sampling = SamplingReader.Read(body, model, options);
        if (!string.IsNullOrEmpty(body.String("suffix")))
            throw ApiException.NotSupported("suffix", "'suffix' is not supported: the models served here do not fill in the middle.");
        if (body.Int("best_of", 1, int.MaxValue) is { } bestOf && bestOf != sampling.N)
            throw ApiException.NotSupported("best_of", $"'best_of' is {bestOf}; only the value of 'n' ({sampling.N}) is supported.");

        bool echo = body.Bool("echo") ?? false;
        int? logProbs = body.Int("logprobs", 0, 20);
        int maxTokens = body.Int("max_tokens", echo ? 0 : 1, int.MaxValue) ?? DefaultMaxTokens;
        bool addSpecialTokens = body.Bool("add_special_tokens") ?? true;
        int[][] prompts = ReadPrompts(body, model, options.MaxN / sampling.N, addSpecialTokens, out string[]? texts);
        return new CompletionRequest
        {
            Model = model,
            Prompts = prompts,
            EchoTexts = echo ? texts ?? DecodeAll(prompts, model, sampling.SkipSpecialTokens) : null,
            Sampling = sampling with
            {
                MaxTokens = Math.Max(maxTokens, 1),
                LogProbs = logProbs,
                PromptLogProbs = echo ? logProbs : null,
            },
            Streaming = StreamOptions.Read(body),
            PromptOnly = maxTokens == 0,
            CreateConstraint = StructuredOutputReader.Read(body) is { } form ? StructuredOutputReader.Compile(form.Param, model.Grammars, form.Compile).CreateConstraint : null,
        };
    }

    private static int[][] ReadPrompts(JsonFields body, ServedModel model, int maxPrompts, bool addSpecialTokens, out string[]? texts)
    {
        texts = null;
        if (!body.TryGet("prompt", out var prompt))
            throw ApiException.Invalid("prompt", "'prompt' is missing.", "missing_required_parameter");
        if (prompt.ValueKind == JsonValueKind.String)
        {
            texts = [prompt.GetString()!];
            return [Encode(texts[0], model, addSpecialTokens, "prompt")];
        }

        if (prompt.ValueKind != JsonValueKind.Array)
            throw JsonFields.WrongType("prompt", prompt, "a string, an array of strings, an array of token ids, or an array of those");
        int count = prompt.GetArrayLength();
        if (count == 0)
            throw ApiException.Invalid("prompt", "'prompt' is an empty array; at least one prompt or token is needed.", "invalid_value");
        if (prompt[0].ValueKind == JsonValueKind.Number)
            return [Tokens(prompt, model, "prompt")];

        if (count > maxPrompts)
            throw ApiException.Invalid("prompt", $"'prompt' has {count} prompts; with this 'n' at most {maxPrompts} are taken in one request.", "invalid_value");
        bool areStrings = prompt[0].ValueKind == JsonValueKind.String;
        texts = areStrings ? new string[count] : null;
        var prompts = new int[count][];
        for (int i = 0; i < count; i++)
        {
            var item = prompt[i];
            string path = $"prompt[{i}]";
            if (item.ValueKind != (areStrings ? JsonValueKind.String : JsonValueKind.Array))
                throw JsonFields.WrongType(path, item, areStrings ? "a string, as the first prompt" : "an array of token ids, as the first prompt");
            prompts[i] = areStrings ? Encode(texts![i] = item.GetString()!, model, addSpecialTokens, path) : Tokens(item, model, path);
        }

        return prompts;
    }

    private static int[] Encode(string text, ServedModel model, bool addSpecialTokens, string path)
    {
        // Before encoding, so that an empty prompt is refused also where the tokenizer would add a BOS.
        if (text.Length == 0)
            throw ApiException.Invalid(path, $"'{path}' is empty.", "invalid_value");
        int[] tokens = model.Tokenizer.Encode(text, addSpecialTokens);
        PromptLimits.Check(tokens, model, path);
        return tokens;
    }

    private static int[] Tokens(JsonElement array, ServedModel model, string path)
    {
        int[] tokens = JsonFields.TokenIds(array, path, model.Engine.VocabSize);
        PromptLimits.Check(tokens, model, path);
        return tokens;
    }

    private static string[] DecodeAll(int[][] prompts, ServedModel model, bool skipSpecialTokens) =>
        Array.ConvertAll(prompts, prompt => model.Tokenizer.Decode(prompt, skipSpecialTokens));
}
