using Hadal.Server.Http;

namespace Hadal.Server.Requests;

internal static class PromptLimits
{
    public static void Check(int[] tokens, ServedModel model, string param)
    {
        if (tokens.Length == 0)
            throw ApiException.Invalid(param, $"'{param}' has no tokens; at least one is needed.", "invalid_value");

        // One place stays for the answer. A max_tokens beyond the context is no error: the answer then ends with "length".
        if (tokens.Length >= model.Engine.MaxContextLen)
            throw ApiException.ContextLength(param, model.Engine.MaxContextLen, tokens.Length);
    }
}
