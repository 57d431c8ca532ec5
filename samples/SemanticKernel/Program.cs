// Semantic Kernel over a model within the process: a prompt template, and a chat.
//   dotnet run --project samples/SemanticKernel
using Hadal.Demo;
using Microsoft.Extensions.AI;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.SemanticKernel;
using Microsoft.SemanticKernel.ChatCompletion;

IKernelBuilder builder = Kernel.CreateBuilder();
builder.Services.AddHadal(options =>
{
    options.OpenCheckpoint = DemoModel.Open;
    options.ModelId = DemoModel.Name;
});
await using ServiceProvider services = builder.Services.BuildServiceProvider();
var kernel = new Kernel(services);
var settings = new PromptExecutionSettings { ExtensionData = new Dictionary<string, object> { ["temperature"] = 0, ["max_tokens"] = 200 } };

KernelFunction sum = kernel.CreateFunctionFromPrompt("What is {{$a}} + {{$b}}?", settings);
FunctionResult result = await kernel.InvokeAsync(sum, new KernelArguments { ["a"] = "12", ["b"] = "7" });
Console.WriteLine(result);

#pragma warning disable SKEXP0001 // For evaluation.
IChatCompletionService chat = services.GetRequiredService<IChatClient>().AsChatCompletionService();
#pragma warning restore SKEXP0001
var history = new ChatHistory("You do sums.");
history.AddUserMessage("What is 3 + 4?");
Console.WriteLine(await chat.GetChatMessageContentAsync(history, settings, kernel));
