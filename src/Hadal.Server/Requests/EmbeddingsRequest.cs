using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

internal sealed record EmbeddingsRequest
{
    public required ServedModel Model { get; init; }

    public required int[][] Inputs { get; init; }

    public required Pooling Pooling { get; init; }

    public required int? Dimensions { get; init; }

    /// <summary>Vectors go out as base64 of little-endian float32 instead of numbers.</summary>
    public required bool Base64 { get; init; }

    /// <param name="embeddingSize">Elements of a whole embedding.</param>
    public static EmbeddingsRequest Read(JsonFields body, ServedModel model, HadalServerOptions options, int embeddingSize)
    {
        int? dimensions = body.Int("dimensions", 1, embeddingSize);
        bool addSpecialTokens = body.Bool("add_special_tokens") ?? true;
        return new EmbeddingsRequest
        {
            Model = model,
            Pooling = OneOf(body, "pooling", "mean", "last") switch
            {
                "mean" => Pooling.Mean,
                "last" => Pooling.Last,
                _ => options.EmbeddingPooling,
            },
            Dimensions = dimensions,
            Base64 = OneOf(body, "encoding_format", "float", "base64") == "base64",
            Inputs = ReadInputs(body, model, options.MaxEmbeddingInputs, addSpecialTokens),
        };
    }

    private static string? OneOf(JsonFields body, string name, string first, string second)
    {
        string? value = body.String(name);
        return value is null || value == first || value == second
            ? value
            : throw ApiException.Invalid(name, $"'{name}' is '{ApiException.Shorten(value)}'; '{first}' or '{second}' is expected.", "invalid_value");
    }

    private static int[][] ReadInputs(JsonFields body, ServedModel model, int maxInputs, bool addSpecialTokens)
    {
        if (!body.TryGet("input", out var input))
            throw ApiException.Invalid("input", "'input' is missing.", "missing_required_parameter");
        if (input.ValueKind == JsonValueKind.String)
            return [Encode(input, model, addSpecialTokens, "input")];
        if (input.ValueKind != JsonValueKind.Array)
            throw JsonFields.WrongType("input", input, "a string, an array of strings, an array of token ids, or an array of those");
        int count = input.GetArrayLength();
        if (count == 0)
            throw ApiException.Invalid("input", "'input' is an empty array; at least one text or token is needed.", "invalid_value");
        if (input[0].ValueKind == JsonValueKind.Number)
            return [Tokens(input, model, "input")];
        if (count > maxInputs)
            throw ApiException.Invalid("input", $"'input' has {count} texts; at most {maxInputs} are taken in one request.", "invalid_value");

        bool areStrings = input[0].ValueKind == JsonValueKind.String;
        var inputs = new int[count][];
        int i = 0;
        foreach (var item in input.EnumerateArray())
        {
            string path = $"input[{i}]";
            if (item.ValueKind != (areStrings ? JsonValueKind.String : JsonValueKind.Array))
                throw JsonFields.WrongType(path, item, areStrings ? "a string, as the first input" : "an array of token ids");
            inputs[i++] = areStrings ? Encode(item, model, addSpecialTokens, path) : Tokens(item, model, path);
        }

        return inputs;
    }

    private static int[] Encode(JsonElement item, ServedModel model, bool addSpecialTokens, string path)
    {
        string text = item.GetString()!;
        if (text.Length == 0)
            throw ApiException.Invalid(path, $"'{path}' is empty.", "invalid_value");
        return Check(model.Tokenizer.Encode(text, addSpecialTokens), model, path);
    }

    private static int[] Tokens(JsonElement array, ServedModel model, string path)
        => Check(JsonFields.TokenIds(array, path, model.Engine.VocabSize), model, path);

    // Unlike a prompt, a text to embed may fill the whole context: no answer follows.
    private static int[] Check(int[] tokens, ServedModel model, string path)
    {
        if (tokens.Length == 0)
            throw ApiException.Invalid(path, $"'{path}' has no tokens; at least one is needed.", "invalid_value");
        int most = model.Engine.MaxContextLen;
        if (tokens.Length > most)
            throw ApiException.Invalid(path, $"This model's maximum context length is {most} tokens; '{path}' has {tokens.Length}. Shorten it by at least {tokens.Length - most}.", "context_length_exceeded");
        return tokens;
    }
}
