using System.Globalization;
using System.Text.Json;
using Hadal.Engine;
using Hadal.Server.Http;

namespace Hadal.Server.Requests;

/// <summary>The fields that chat and text completions share.</summary>
internal static class SamplingReader
{
    private const int MaxStopStrings = 16;
    private const int MaxStopTokenIds = 64;
    private const int MaxLogitBiases = 4096;

    // Each would change what the answer may be; to ignore one would be to answer another question than was asked.
    private static readonly string[] s_refused =
    [
        "functions", "function_call", "use_beam_search",
        "prompt_embeds", "allowed_token_ids", "bad_words", "logits_processors", "truncate_prompt_tokens",
    ];

    public static SamplingParams Read(JsonFields body, ServedModel model, HadalServerOptions options)
    {
        foreach (string name in s_refused)
        {
            if (body.TryGet(name, out var value) && !IsOff(value))
                throw ApiException.NotSupported(name, $"'{name}' is not supported.");
        }

        OpenAiFields.Check(body);
        int vocabSize = model.Engine.VocabSize;
        int topK = body.Int("top_k", -1, int.MaxValue) ?? options.DefaultTopK ?? model.Config.DefaultTopK ?? 0;
        return new SamplingParams
        {
            Temperature = body.Float("temperature", 0, 2) ?? options.DefaultTemperature ?? model.Config.DefaultTemperature ?? 1f,
            TopP = body.Float("top_p", 0, 1, minExclusive: true) ?? options.DefaultTopP ?? model.Config.DefaultTopP ?? 1f,
            TopK = Math.Max(topK, 0),
            MinP = body.Float("min_p", 0, 1) ?? 0f,
            RepetitionPenalty = body.Float("repetition_penalty", 0, 10, minExclusive: true) ?? 1f,
            FrequencyPenalty = body.Float("frequency_penalty", -2, 2) ?? 0f,
            PresencePenalty = body.Float("presence_penalty", -2, 2) ?? 0f,
            LogitBias = LogitBias(body, vocabSize),
            Seed = body.Long("seed") is { } seed ? unchecked((ulong)seed) : null,
            MinTokens = body.Int("min_tokens", 0, int.MaxValue) ?? 0,
            Stop = Stop(body),
            StopTokenIds = body.TokenIds("stop_token_ids", vocabSize, MaxStopTokenIds),
            IgnoreEos = body.Bool("ignore_eos") ?? false,
            N = body.Int("n", 1, options.MaxN) ?? 1,
            SkipSpecialTokens = body.Bool("skip_special_tokens") ?? true,
        };
    }

    private static string[] Stop(JsonFields body)
    {
        string[] stop = body.Strings("stop", MaxStopStrings);
        return Array.IndexOf(stop, "") < 0 ? stop : throw ApiException.Invalid("stop", "'stop' has an empty string in it, which would end every text before it begins.", "invalid_value");
    }

    private static Dictionary<int, float>? LogitBias(JsonFields body, int vocabSize)
    {
        if (!body.TryGet("logit_bias", JsonValueKind.Object, out var map))
            return null;
        int count = map.GetPropertyCount();
        if (count > MaxLogitBiases)
            throw ApiException.Invalid("logit_bias", $"'logit_bias' has {count} entries; at most {MaxLogitBiases} are taken.", "invalid_value");

        var fields = new JsonFields(map, "logit_bias.");
        var biases = new Dictionary<int, float>(count);
        foreach (var entry in map.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || id >= vocabSize)
                throw ApiException.Invalid("logit_bias", $"'logit_bias' has the key '{ApiException.Shorten(entry.Name)}'; keys are token ids of this model, 0 to {vocabSize - 1}.", "invalid_value");

            // "7" and "07" are different names but the same token.
            if (fields.Float(entry.Name, -100, 100) is { } bias && !biases.TryAdd(id, bias))
                throw ApiException.Invalid("logit_bias", $"'logit_bias' names token {id} twice.", "invalid_value");
        }

        return biases.Count == 0 ? null : biases;
    }

    private static bool IsOff(JsonElement value) =>
        value.ValueKind == JsonValueKind.False
        || value.ValueKind == JsonValueKind.Array && value.GetArrayLength() == 0
        || value.ValueKind == JsonValueKind.String && value.ValueEquals("none"u8);
}
