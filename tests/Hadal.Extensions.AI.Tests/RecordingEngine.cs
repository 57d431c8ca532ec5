using System.Runtime.CompilerServices;
using Hadal.Engine;
using Hadal.Formats.Chat.Reasoning;
using Hadal.Formats.Chat.Tools;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Tokenization;

namespace Hadal.Extensions.AI.Tests;

/// <summary>Keeps the request and answers with given tokens of the demo's vocabulary.</summary>
internal sealed class RecordingEngine(string answer, ITokenizer tokenizer) : IEngine
{
    public GenerationRequest? Last { get; private set; }

    public int VocabSize => tokenizer.VocabSize;

    public int MaxContextLen => 2048;

    public static (IAsyncDisposable Checkpoint, LanguageModel Model, RecordingEngine Engine) Create(string answer)
    {
        Checkpoint checkpoint = Demo.DemoModel.Open();
        ITokenizer tokenizer = CheckpointText.LoadTokenizer(checkpoint);
        var template = CheckpointText.LoadChatTemplate(checkpoint);
        var engine = new RecordingEngine(answer, tokenizer);
        return (new Closer(checkpoint), new LanguageModel
        {
            Id = "recorded",
            Engine = engine,
            Tokenizer = tokenizer,
            ChatTemplate = template,
            Config = checkpoint.Config,
            ReasoningMarkers = ReasoningMarkers.Detect(tokenizer, template),
            ToolCallFormat = ToolCallFormat.Hermes,
        }, engine);
    }

    public async IAsyncEnumerable<GenerationEvent> GenerateAsync(GenerationRequest request, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Last = request;
        await Task.Yield();
        int[] ids = tokenizer.Encode(answer);
        var decoder = new StreamTextDecoder(tokenizer, request.Sampling.SkipSpecialTokens);
        for (int i = 0; i < ids.Length; i++)
        {
            yield return new GenerationEvent
            {
                ChoiceIndex = 0,
                TokenId = ids[i],
                Text = decoder.Append(ids[i]) + (i == ids.Length - 1 ? decoder.Flush() : ""),
                FinishReason = i == ids.Length - 1 ? FinishReason.Stop : null,
                Usage = new TokenUsage(request.PromptTokens.Count, i + 1, 3),
            };
        }
    }

    public EngineStats GetStats() => new();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private sealed class Closer(Checkpoint checkpoint) : IAsyncDisposable
    {
        public ValueTask DisposeAsync()
        {
            checkpoint.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
