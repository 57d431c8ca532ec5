using System.Text.Json;
using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

internal sealed class DetokenizeEndpoint(ModelRegistry models)
{
    public async Task InvokeAsync(HttpContext context)
    {
        string text;
        using (var document = await JsonBody.ReadAsync(context))
        {
            var fields = new JsonFields(document.RootElement);
            var model = await models.GetAsync(context, fields.String("model"));
            if (!fields.TryGet("tokens", JsonValueKind.Array, out var array))
                throw ApiException.Invalid("tokens", "'tokens' is missing.", "missing_required_parameter");
            int[] tokens = JsonFields.TokenIds(array, "tokens", model.Tokenizer.VocabSize);
            text = model.Tokenizer.Decode(tokens, fields.Bool("skip_special_tokens") ?? false);
        }

        await using var body = JsonResponse.Begin(context);
        body.Json.WriteStartObject();
        body.Json.WriteString("prompt"u8, text);
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }
}
