using Hadal.Server.Generation;
using Hadal.Server.Http;
using Hadal.Server.Requests;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Endpoints;

internal sealed class ChatCompletionsEndpoint(ModelRegistry models, HadalServerOptions options, GenerationPipeline pipeline)
{
    public async Task InvokeAsync(HttpContext context)
    {
        ChatRequest request;
        RequestTerms terms;
        using (var document = await JsonBody.ReadAsync(context))
        {
            var body = new JsonFields(document.RootElement);
            terms = RequestTerms.Read(body, context);
            request = ChatRequest.Read(body, await models.GetAsync(context, body.RequiredString("model")), options);
        }

        var job = new GenerationJob($"chatcmpl-{Guid.NewGuid():N}", request.Model, [request.PromptTokens], request.Sampling, pipeline.UnixSecondsNow()) { Terms = terms, CreateConstraint = request.CreateConstraint };
        if (!request.Streaming.Stream)
        {
            await pipeline.CollectAsync(context, job, new CollectedChat(job, request));
            return;
        }

        using var sse = new SseWriter(context);
        await pipeline.StreamAsync(context, job, sse, new StreamedChat(job, request, sse));
    }
}
