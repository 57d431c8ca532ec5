using Hadal.Server.Http;
using Hadal.Server.Requests;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

internal sealed class TokenizeEndpoint(ModelRegistry models)
{
    public async Task InvokeAsync(HttpContext context)
    {
        ServedModel model;
        int[] tokens;
        using (var document = await JsonBody.ReadAsync(context))
        {
            var fields = new JsonFields(document.RootElement);
            model = await models.GetAsync(context, fields.String("model"));
            bool? addSpecialTokens = fields.Bool("add_special_tokens");

            if (fields.TryGet("prompt", out _) && fields.TryGet("text", out _))
                throw ApiException.Invalid("text", "'prompt' and 'text' are the same field; send one of them.", "invalid_value");

            // A rendered conversation already has its BOS where the template writes one.
            tokens = (fields.String("prompt") ?? fields.String("text")) is { } text
                ? model.Tokenizer.Encode(text, addSpecialTokens ?? true)
                : fields.TryGet("messages", out _)
                    ? model.Tokenizer.Encode(ConversationReader.Read(fields, model).Prompt, addSpecialTokens ?? false)
                    : throw ApiException.Invalid("prompt", "One of 'prompt', 'text' and 'messages' is needed.", "missing_required_parameter");
        }

        await using var body = JsonResponse.Begin(context);
        body.Json.WriteStartObject();
        body.Json.WriteNumber("count"u8, tokens.Length);
        body.Json.WriteNumber("max_model_len"u8, model.Engine.MaxContextLen);
        body.Json.WriteStartArray("tokens"u8);
        foreach (int token in tokens)
            body.Json.WriteNumberValue(token);
        body.Json.WriteEndArray();
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }
}
