using Hadal.Engine;
using Microsoft.Extensions.AI;

namespace Hadal.Extensions.AI.Chat;

/// <summary>An <see cref="EmbeddingRequest"/> without its text, from the options.</summary>
internal static class EmbeddingOptionsReader
{
    private static readonly string[] s_known = ["pooling", "add_special_tokens"];

    public static (EmbeddingRequest Request, bool AddSpecialTokens) Read(EmbeddingGenerationOptions? options, string modelId, object client)
    {
        if (options?.ModelId is { } asked && asked != modelId)
            throw new ArgumentException($"EmbeddingGenerationOptions.ModelId is '{asked}'; this generator's model is '{modelId}'.", nameof(options));
        EmbeddingRequest request = options?.RawRepresentationFactory?.Invoke((IEmbeddingGenerator)client) switch
        {
            null => new EmbeddingRequest { Id = "", Tokens = [] },
            EmbeddingRequest raw => raw,
            var other => throw new NotSupportedException($"EmbeddingGenerationOptions.RawRepresentationFactory gave {other.GetType().FullName}; {typeof(EmbeddingRequest).FullName} is what is understood here."),
        };
        request = request with { Dimensions = options?.Dimensions ?? request.Dimensions };
        bool addSpecialTokens = true;
        foreach (var (name, value) in options?.AdditionalProperties ?? [])
        {
            switch (name)
            {
                case "pooling":
                    request = request with
                    {
                        Pooling = value?.ToString() switch
                        {
                            "mean" => Pooling.Mean,
                            "last" => Pooling.Last,
                            _ => throw new ArgumentException($"EmbeddingGenerationOptions.AdditionalProperties[\"pooling\"] is '{value}'; 'mean' or 'last' is expected.", nameof(options)),
                        },
                    };
                    break;
                case "add_special_tokens":
                    addSpecialTokens = OptionNumbers.Boolean(name, value);
                    break;
                default:
                    throw new ArgumentException($"EmbeddingGenerationOptions.AdditionalProperties has '{name}', which nothing here heeds; known are {string.Join(", ", s_known)}.", nameof(options));
            }
        }

        return (request, addSpecialTokens);
    }
}
