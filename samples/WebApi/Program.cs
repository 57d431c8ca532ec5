// A web application with a model in it: an endpoint of its own, and the OpenAI API beside it.
//   dotnet run --project samples/WebApi
//   curl 'http://127.0.0.1:5000/ask?q=What+is+12+%2B+7%3F'
//   curl http://127.0.0.1:5000/v1/models
using Hadal.Demo;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;

WebApplicationBuilder builder = WebApplication.CreateBuilder(args);

// Loaded in the background while the application starts, shared by all requests, freed with it.
builder.Services.AddHadal(options =>
{
    options.OpenCheckpoint = DemoModel.Open; // or options.ModelPath = "DeepSeek-R1-Distill-Qwen-7B"
    options.ModelId = DemoModel.Name;
});

WebApplication app = builder.Build();

// Requests that come together are answered together, and one that is left by its client frees its place at once.
app.MapGet("/ask", async (string q, IChatClient client, CancellationToken aborted) =>
{
    ChatResponse answer = await client.GetResponseAsync(q, new ChatOptions { Temperature = 0, MaxOutputTokens = 256 }, aborted);
    return new { answer = answer.Text, tokens = answer.Usage!.OutputTokenCount };
});

// For everything that speaks the OpenAI API. Add .RequireAuthorization() and the like to what it returns.
app.MapHadalOpenAI();
await app.RunAsync();
