// Functions that the model calls, by Microsoft.Extensions.AI: UseFunctionInvocation runs them and gives the model their results.
//   dotnet run --project samples/ToolCalling
using System.ComponentModel;
using Hadal.Demo;
using Hadal.Extensions.AI;
using Hadal.Formats.Chat.Tools;
using Microsoft.Extensions.AI;

// The bundled model shows no way of its own to call tools, and is held to this one.
await using HadalModel model = HadalModel.Load(DemoModel.Open(), DemoModel.Name, new HadalModelOptions { ToolCallFormat = ToolCallFormat.Hermes });
using IChatClient client = model.AsChatClient().AsBuilder().UseFunctionInvocation().Build();
var options = new ChatOptions
{
    Temperature = 0,
    MaxOutputTokens = 200,
    Tools = [AIFunctionFactory.Create(Add, "Add")],

    // The bundled model is far too small to know when to call. A larger one decides by itself: leave ToolMode out then.
    ToolMode = ChatToolMode.RequireAny,
    Reasoning = new ReasoningOptions { Effort = ReasoningEffort.None },
};
ChatResponse answer = await client.GetResponseAsync("What is 12 + 7?", options);
foreach (AIContent content in answer.Messages.SelectMany(m => m.Contents))
{
    Console.WriteLine(content switch
    {
        FunctionCallContent call => $"called {call.Name}({string.Join(", ", call.Arguments!.Select(a => $"{a.Key}: {a.Value}"))})",
        FunctionResultContent result => $"it gave {result.Result}",
        TextContent text => text.Text,
        _ => "",
    });
}

[Description("Adds two whole numbers.")]
static int Add([Description("The first.")] int a, [Description("The second.")] int b) => unchecked(a + b);
