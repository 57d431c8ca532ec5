using Hadal.Numerics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Hadal.Engine;

/// <summary>Limits and collaborators of an <see cref="LlmEngine"/>. Checked when the engine is made.</summary>
public sealed record EngineOptions
{
    /// <summary>Tokens computed in one step at the most, prefill and decode together. At least <see cref="MaxRunning"/>, so that every running sequence gets its token.</summary>
    public int MaxBatchedTokens { get; init; } = 512;

    /// <summary>Sequences that hold pages at once.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Requests that may wait to be started, beyond those that there is a free place for.</summary>
    public int MaxQueue { get; init; } = 1024;

    /// <summary>A request that has waited so long counts as one class more urgent than it came, one that has waited twice as long as two, and so on: nobody starves.</summary>
    public TimeSpan AgeingInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Share pages of equal prompt beginnings among requests. Off, only the choices of one request share.</summary>
    public bool EnablePrefixCaching { get; init; } = true;

    /// <summary>
    /// Prompt tokens per step whose logits are all kept, for prompt log-probabilities.
    /// A row of a 129k vocabulary is half a megabyte, so a whole chunk of them would dwarf the model's other scratch.
    /// </summary>
    public int MaxPromptLogProbTokens { get; init; } = 64;

    /// <summary>The model's own end tokens (generation_config.json may name several).</summary>
    public IReadOnlyList<int> EosTokenIds { get; init; } = [];

    public int MaxStopStrings { get; init; } = 16;

    /// <summary>Characters of all stop strings of a request together.</summary>
    public int MaxStopChars { get; init; } = 4096;

    /// <summary>Largest n.</summary>
    public int MaxChoices { get; init; } = 128;

    /// <summary>Largest logprobs and prompt_logprobs.</summary>
    public int MaxLogProbs { get; init; } = 20;

    public int MaxLogitBias { get; init; } = 1024;

    /// <summary>Makes the decoder of one answer; the argument is <see cref="SamplingParams.SkipSpecialTokens"/>. Null: tokens only, no text and no stop strings.</summary>
    public Func<bool, ITextDecoder>? CreateDecoder { get; init; }

    /// <summary>Guess tokens ahead and verify several in one step; null for not.</summary>
    public SpeculationOptions? Speculation { get; init; }

    public IEngineObserver? Observer { get; init; }

    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;

    public ILogger Logger { get; init; } = NullLogger.Instance;

    internal void Validate(int vocabSize)
    {
        AtLeast(nameof(MaxRunning), MaxRunning, 1);
        AtLeast(nameof(MaxQueue), MaxQueue, 1);
        AtLeast(nameof(MaxPromptLogProbTokens), MaxPromptLogProbTokens, 1);
        AtLeast(nameof(MaxStopStrings), MaxStopStrings, 0);
        AtLeast(nameof(MaxStopChars), MaxStopChars, 0);
        AtLeast(nameof(MaxChoices), MaxChoices, 1);
        AtLeast(nameof(MaxLogProbs), MaxLogProbs, 0);
        AtLeast(nameof(MaxLogitBias), MaxLogitBias, 0);
        if (AgeingInterval <= TimeSpan.Zero || AgeingInterval > TimeSpan.FromDays(1))
            throw new HadalException($"{nameof(AgeingInterval)} is {AgeingInterval}; it must be above zero and at most a day.");
        if (MaxBatchedTokens < MaxRunning)
            throw new HadalException($"{nameof(MaxBatchedTokens)} is {MaxBatchedTokens}, less than {nameof(MaxRunning)} = {MaxRunning}: some running sequences would never get a token. Raise the first or lower the second.");
        foreach (int id in EosTokenIds)
        {
            if ((uint)id >= (uint)vocabSize)
                throw new HadalException($"{nameof(EosTokenIds)} holds {id}, but the model's ids are 0 to {vocabSize - 1}. Check that tokenizer and model belong together.");
        }
    }

    private static void AtLeast(string name, int value, int least)
    {
        if (value < least)
            throw new HadalException($"{name} is {value}; it must be at least {least}.");
    }
}
