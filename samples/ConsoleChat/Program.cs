// A chat in the terminal, with the thinking in grey: dotnet run --project samples/ConsoleChat [MODEL]
// MODEL is a Hugging Face folder or a .gguf file; without it the bundled model talks.
using Hadal.Demo;
using Hadal.Extensions.AI;
using Microsoft.Extensions.AI;

await using HadalModel model = args is [var path] ? HadalModel.Load(path) : HadalModel.Load(DemoModel.Open(), DemoModel.Name);
using IChatClient client = model.AsChatClient();
bool inColour = !Console.IsOutputRedirected;
List<ChatMessage> talk = [];
while (true)
{
    Console.Write("> ");
    if (Console.ReadLine() is not { Length: > 0 } line)
        break;
    talk.Add(new ChatMessage(ChatRole.User, line));

    // Ctrl-C ends the answer, not the chat.
    using var cancel = new CancellationTokenSource();
    ConsoleCancelEventHandler onCancel = (_, e) =>
    {
        e.Cancel = true;
        cancel.Cancel();
    };
    Console.CancelKeyPress += onCancel;
    List<ChatResponseUpdate> updates = [];
    try
    {
        await foreach (ChatResponseUpdate update in client.GetStreamingResponseAsync(talk, new ChatOptions { MaxOutputTokens = 512, Temperature = 0 }, cancel.Token))
        {
            updates.Add(update);
            foreach (AIContent content in update.Contents)
            {
                if (content is TextReasoningContent thought)
                    Console.Write(inColour ? $"\u001b[90m{thought.Text}\u001b[0m" : thought.Text);
                else if (content is TextContent text)
                    Console.Write(text.Text);
            }
        }
    }
    catch (OperationCanceledException)
    {
        Console.Write(" …");
    }
    finally
    {
        Console.CancelKeyPress -= onCancel;
    }

    ChatResponse answer = updates.ToChatResponse();
    talk.AddMessages(answer);
    Console.WriteLine();
    if (answer.Usage is { } usage)
        await Console.Error.WriteLineAsync($"[{usage.InputTokenCount} tokens in, {usage.CachedInputTokenCount} of them cached, {usage.OutputTokenCount} out]");
}
