using Hadal.Demo;
using Hadal.Extensions.AI;
using Microsoft.Extensions.AI;

// Or HadalModel.Load("DeepSeek-R1-Distill-Qwen-7B"): any Hugging Face folder or .gguf file.
await using HadalModel model = HadalModel.Load(DemoModel.Open(), DemoModel.Name);
using IChatClient client = model.AsChatClient();
await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync("What is 12 + 7?", new ChatOptions { Temperature = 0 }))
    Console.Write(update.Text);
Console.WriteLine();
