using Hadal.Engine;
using Hadal.Server.Requests;

namespace Hadal.Server.Generation;

/// <summary>The choices of a text completion by index.</summary>
internal sealed class CompletionChoices
{
    private readonly GenerationJob _job;
    private readonly CompletionChoice[] _choices;
    private readonly IReadOnlyList<TokenLogProb?>?[] _promptLogProbs;

    public CompletionChoices(GenerationJob job, CompletionRequest request)
    {
        _job = job;
        _promptLogProbs = new IReadOnlyList<TokenLogProb?>?[job.Prompts.Count];
        _choices = new CompletionChoice[job.NumChoices];
        for (int i = 0; i < _choices.Length; i++)
            _choices[i] = new CompletionChoice(request, i / job.Sampling.N);
    }

    public int Count => _choices.Length;

    public CompletionChoice this[int index] => _choices[index];

    public string Append(in PromptEvent e)
    {
        // They come once for all choices of the prompt.
        _promptLogProbs[e.PromptIndex] ??= e.Event.PromptLogProbs;
        return _choices[_job.ChoiceOf(e)].Append(e.Event, _promptLogProbs[e.PromptIndex]);
    }
}
