using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Hadal.Server.Generation;
using Hadal.Server.Http;
using Hadal.Server.Requests;
using Hadal.Server.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Hadal.Server.Endpoints;

internal sealed class ResponsesEndpoint(ModelRegistry models, HadalServerOptions options, GenerationPipeline pipeline, ResponseStore store)
{
    public async Task CreateAsync(HttpContext context)
    {
        string owner = OwnerOf(context);
        ResponsesRequest request;
        RequestTerms terms;
        using (var document = await JsonBody.ReadAsync(context))
        {
            var body = new JsonFields(document.RootElement);
            terms = RequestTerms.Read(body, context);
            request = ResponsesRequest.Read(body, await models.GetAsync(context, body.RequiredString("model")), options, store, owner);
        }

        var chat = request.Chat;
        var job = new GenerationJob($"resp_{Guid.NewGuid():N}", chat.Model, [chat.PromptTokens], chat.Sampling, pipeline.UnixSecondsNow()) { Terms = terms, CreateConstraint = chat.CreateConstraint };
        var response = new ResponseBuilder(job, request);
        if (!request.Stream)
        {
            await pipeline.CollectAsync(context, job, new CollectedResponse(response, Keep));
            return;
        }

        using var sse = new SseWriter(context);
        await pipeline.StreamAsync(context, job, sse, new StreamedResponse(response, sse, Keep));

        void Keep(ResponseBuilder whole)
        {
            if (!request.Store)
                return;
            JsonArray messages = request.Messages;
            new ResponseInput(messages).AddOutput(whole.Output);
            store.Add(job.Id, new StoredResponse(owner, whole.ToBytes(), messages.ToJsonString()));
        }
    }

    public async Task GetAsync(HttpContext context)
    {
        string id = (string)context.GetRouteValue("id")!;
        var stored = store.Find(id, OwnerOf(context)) ?? throw NotFound(id);
        context.Response.ContentType = "application/json";
        await context.Response.BodyWriter.WriteAsync(stored.Json, CancellationToken.None);
    }

    public async Task DeleteAsync(HttpContext context)
    {
        string id = (string)context.GetRouteValue("id")!;
        if (!store.Delete(id, OwnerOf(context)))
            throw NotFound(id);
        await using var body = JsonResponse.Begin(context);
        body.Json.WriteStartObject();
        body.Json.WriteString("id"u8, id);
        body.Json.WriteString("object"u8, "response"u8);
        body.Json.WriteBoolean("deleted"u8, true);
        body.Json.WriteEndObject();
        await body.CompleteAsync();
    }

    /// <summary>By its hash, so that no key lies about.</summary>
    private static string OwnerOf(HttpContext context)
    {
        string header = context.Request.Headers.Authorization.ToString();
        return header.Length == 0 ? "" : Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(header)));
    }

    private static ApiException NotFound(string id) =>
        new(404, "invalid_request_error", $"There is no response '{ApiException.Shorten(id)}' here (any more).", "response_id", "response_not_found");
}
