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
        foreach (var (name, source, loaded) in models.Names)
            Write(body.Json, name, source, loaded);
        body.Json.WriteEndArray();
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }

    public async Task GetAsync(HttpContext context)
    {
        string name = (string)context.GetRouteValue("id")!;
        var (source, loaded) = models.Describe(name);
        await using var body = JsonResponse.Begin(context);
        Write(body.Json, name, source, loaded);
        await body.CompleteAsync();
    }

    private static void Write(Utf8JsonWriter json, string name, ModelSource source, ServedModel? loaded)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, name);
        json.WriteString("object"u8, "model"u8);
        json.WriteNumber("created"u8, source.Created.ToUnixTimeSeconds());
        json.WriteString("owned_by"u8, "hadal"u8);
        json.WriteString("root"u8, source.Id);
        json.WriteString("parent"u8, source.Parent);
        if (loaded is not null)
            json.WriteNumber("max_model_len"u8, loaded.Engine.MaxContextLen);
        json.WriteBoolean("loaded"u8, loaded is not null);
        json.WriteEndObject();
    }
}
