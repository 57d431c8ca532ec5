using System.Text.Json;
using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Hadal.Server.Endpoints;

internal sealed class ModelsEndpoint(ModelRegistry models)
{
    public async Task ListAsync(HttpContext context)
    {
        await using var body = JsonResponse.Begin(context);
        body.Json.WriteStartObject();
        body.Json.WriteString("object"u8, "list"u8);
        body.Json.WriteStartArray("data"u8);
        foreach (var (name, model) in models.Names)
            Write(body.Json, name, model);
        body.Json.WriteEndArray();
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }

    public async Task GetAsync(HttpContext context)
    {
        string name = (string)context.GetRouteValue("id")!;
        var model = models.Get(name);
        await using var body = JsonResponse.Begin(context);
        Write(body.Json, name, model);
        await body.CompleteAsync();
    }

    private static void Write(Utf8JsonWriter json, string name, ServedModel model)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, name);
        json.WriteString("object"u8, "model"u8);
        json.WriteNumber("created"u8, model.Created.ToUnixTimeSeconds());
        json.WriteString("owned_by"u8, "hadal"u8);
        json.WriteString("root"u8, model.Id);
        json.WriteNumber("max_model_len"u8, model.Engine.MaxContextLen);
        json.WriteEndObject();
    }
}
