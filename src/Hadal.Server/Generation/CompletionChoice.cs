using Hadal.Engine;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>One choice of a text completion, as its events come.</summary>
internal sealed class CompletionChoice(CompletionRequest request, int promptIndex)
{
    private bool _begun;

    public CompletionLogProbs? LogProbs { get; } =
        request.Sampling.LogProbs is null ? null : new CompletionLogProbs(request.Model.Tokenizer, request.Sampling.SkipSpecialTokens);

    public FinishReason? FinishReason { get; private set; }

    /// <summary>The text this event adds: with <c>echo</c>, the first one brings the prompt.</summary>
    public string Append(GenerationEvent e, IReadOnlyList<TokenLogProb?>? promptLogProbs)
    {
        string text = request.PromptOnly ? "" : e.Text;
        if (!_begun)
        {
            _begun = true;
            if (request.EchoTexts is { } echo)
            {
                text = echo[promptIndex] + text;
                AddPrompt(promptLogProbs);
            }
        }

        if (e.TokenId >= 0 && e.LogProb is { } logProb && !request.PromptOnly)
            LogProbs?.Add(e.TokenId, logProb);
        FinishReason = e.FinishReason ?? FinishReason;
        return text;
    }

    private void AddPrompt(IReadOnlyList<TokenLogProb?>? promptLogProbs)
    {
        if (LogProbs is null)
            return;
        int[] prompt = request.Prompts[promptIndex];
        for (int i = 0; i < prompt.Length; i++)
            LogProbs.Add(prompt[i], promptLogProbs is not null && i < promptLogProbs.Count ? promptLogProbs[i] : null);
    }
}
