using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Hadal.Engine.Embedding;
using Hadal.Engine.Stopping;

namespace Hadal.Engine.Requests;

/// <summary>Checks everything about a request before it may wait: what passes here can be served to its end. Thread-safe.</summary>
internal sealed class RequestChecker(EngineOptions options, int vocabSize, int maxContextLen, int numBlocks, int blockSize, IReadOnlyList<string> adapters)
{
    private const int MaxPriority = 1000;

    /// <exception cref="InvalidRequestException">Something is out of bounds; the message holds what was found and what is allowed.</exception>
    public AdmittedRequest Check(GenerationRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        SamplingParams p = request.Sampling;
        int[] prompt = CheckPrompt("prompt", request.PromptTokens);
        CheckNumbers(p);
        CheckTokenIds("stop_token_ids", p.StopTokenIds);
        CheckLogitBias(p);
        Within("priority", request.Priority, -MaxPriority, MaxPriority);
        if (request.Timeout is { } timeout && (timeout <= TimeSpan.Zero || timeout > TimeSpan.FromDays(1)))
            throw new InvalidRequestException("timeout", $"timeout is {timeout.TotalSeconds} s; it must be above 0 and at most a day.");
        return new()
        {
            Id = request.Id,
            PromptTokens = prompt,
            Parameters = p,
            MaxTokens = CheckLength(prompt.Length, p),
            EndIds = p.IgnoreEos ? [.. p.StopTokenIds] : [.. options.EosTokenIds, .. p.StopTokenIds],
            StopStrings = CheckStopStrings(p.Stop),
            CreateDecoder = options.CreateDecoder,
            Priority = request.Priority,
            Tenant = request.Tenant,
            Timeout = request.Timeout,
            CreateConstraint = request.CreateConstraint,
            Adapter = CheckAdapter(request.Adapter),
            Seed = p.Seed ?? MemoryMarshal.Read<ulong>(RandomNumberGenerator.GetBytes(sizeof(ulong))),
        };
    }

    /// <param name="hiddenSize">Columns of the hidden states.</param>
    public AdmittedRequest Check(EmbeddingRequest request, int hiddenSize)
    {
        ArgumentNullException.ThrowIfNull(request);
        int[] prompt = CheckPrompt("input", request.Tokens);
        int dimensions = request.Dimensions ?? hiddenSize;
        Within("dimensions", dimensions, 1, hiddenSize);
        Within("priority", request.Priority, -MaxPriority, MaxPriority);
        var nothing = new SamplingParams { MaxTokens = 0 };
        return new()
        {
            Id = request.Id,
            PromptTokens = prompt,
            Parameters = nothing,
            MaxTokens = CheckLength(prompt.Length, nothing, "input"),
            EndIds = [],
            StopStrings = null,
            CreateDecoder = null,
            CreateConstraint = null,
            Adapter = CheckAdapter(request.Adapter),
            Priority = request.Priority,
            Tenant = request.Tenant,
            Seed = 0,
            Embedding = new EmbeddingWish(request.Pooling, request.Normalize, dimensions),
        };
    }

    private int CheckAdapter(string? name)
    {
        if (name is null)
            return 0;
        for (int i = 0; i < adapters.Count; i++)
        {
            if (adapters[i] == name)
                return i + 1;
        }

        throw new InvalidRequestException("model", adapters.Count == 0 ? "This engine was started without LoRA adapters." : $"There is no LoRA adapter of that name; there are {string.Join(", ", adapters)}.");
    }

    private int[] CheckPrompt(string parameter, IReadOnlyList<int> prompt)
    {
        if (prompt.Count == 0)
            throw new InvalidRequestException(parameter, $"The {parameter} has no tokens. Send at least one.");
        if (prompt.Count > maxContextLen)
            throw new InvalidRequestException(parameter, $"The {parameter} has {prompt.Count} tokens, but the context holds {maxContextLen}. Shorten it.");
        int[] copy = [.. prompt];
        for (int i = 0; i < copy.Length; i++)
        {
            if ((uint)copy[i] >= (uint)vocabSize)
                throw new InvalidRequestException(parameter, $"Token {i} of the {parameter} has id {copy[i]}, but the model's ids are 0 to {vocabSize - 1}.");
        }

        return copy;
    }

    private void CheckNumbers(SamplingParams p)
    {
        Within("temperature", p.Temperature, 0, 2);
        Within("top_k", p.TopK, 0, int.MaxValue);
        Within("top_p", p.TopP, 0, 1);
        Within("min_p", p.MinP, 0, 1);
        Within("repetition_penalty", p.RepetitionPenalty, 0.01f, 10);
        Within("frequency_penalty", p.FrequencyPenalty, -2, 2);
        Within("presence_penalty", p.PresencePenalty, -2, 2);
        Within("n", p.N, 1, options.MaxChoices);
        Within("min_tokens", p.MinTokens, 0, int.MaxValue);
        Within("logprobs", p.LogProbs ?? 0, 0, options.MaxLogProbs);
        Within("prompt_logprobs", p.PromptLogProbs ?? 0, 0, options.MaxLogProbs);
        if (p.MaxTokens is not { } maxTokens)
            return;
        Within("max_tokens", maxTokens, 0, int.MaxValue);
        if (p.MinTokens > maxTokens)
            throw new InvalidRequestException("min_tokens", $"min_tokens is {p.MinTokens}, more than max_tokens = {maxTokens}. Lower the first or raise the second.");
    }

    /// <summary>Tokens the answer may have. The last one of them is never computed, so it needs no place in a page.</summary>
    private int CheckLength(int numPromptTokens, SamplingParams p, string prompt = "prompt")
    {
        int byContext = maxContextLen - numPromptTokens;
        if (p.MinTokens > byContext)
            throw new InvalidRequestException("min_tokens", $"min_tokens is {p.MinTokens}, but after a prompt of {numPromptTokens} tokens the context of {maxContextLen} has room for {byContext}. Lower it or shorten the prompt.");
        if (byContext == 0 && p.MaxTokens != 0)
            throw new InvalidRequestException("prompt", $"The prompt has {numPromptTokens} tokens and fills the context of {maxContextLen}: there is no room for an answer. Shorten it.");
        int wanted = Math.Min(p.MaxTokens ?? byContext, byContext);
        long byPages = ((long)numBlocks * blockSize) - numPromptTokens + 1;
        // Without a wish of its own the answer takes what there is; then only the prompt and what it must hold need to fit.
        int must = p.MaxTokens is null ? Math.Max(1, p.MinTokens) : wanted;
        if (must > byPages || byPages < 1)
        {
            long tokens = (long)numPromptTokens + Math.Max(must, 1) - 1;
            throw new InvalidRequestException(
                byPages < 1 ? prompt : p.MaxTokens is null ? "min_tokens" : "max_tokens",
                $"A prompt of {numPromptTokens} tokens with up to {must} of answer needs {(tokens + blockSize - 1) / blockSize} KV pages of {blockSize} tokens, but there are {numBlocks} in all. Ask for less, or start the engine with more KV memory.");
        }

        return (int)Math.Min(wanted, byPages);
    }

    private void CheckTokenIds(string parameter, IReadOnlyList<int> ids)
    {
        foreach (int id in ids)
            CheckTokenId(parameter, id);
    }

    private void CheckTokenId(string parameter, int id)
    {
        if ((uint)id >= (uint)vocabSize)
            throw new InvalidRequestException(parameter, $"{parameter} holds token id {id}, but the model's ids are 0 to {vocabSize - 1}.");
    }

    private void CheckLogitBias(SamplingParams p)
    {
        if (p.LogitBias is null)
            return;
        Within("logit_bias", p.LogitBias.Count, 0, options.MaxLogitBias);
        foreach ((int id, float bias) in p.LogitBias)
        {
            CheckTokenId("logit_bias", id);
            if (!(bias >= -100f && bias <= 100f))
                throw new InvalidRequestException("logit_bias", $"The bias of token {id} is {bias}; it must be from -100 to 100.");
        }
    }

    private StopStrings? CheckStopStrings(IReadOnlyList<string> stop)
    {
        if (stop.Count == 0)
            return null;
        if (options.CreateDecoder is null)
            throw new InvalidRequestException("stop", "Stop strings need text, but this engine was started without a tokenizer. Use stop_token_ids.");
        if (stop.Count > options.MaxStopStrings)
            throw new InvalidRequestException("stop", $"There are {stop.Count} stop strings; at most {options.MaxStopStrings} are allowed.");
        long numChars = 0;
        for (int i = 0; i < stop.Count; i++)
        {
            if (string.IsNullOrEmpty(stop[i]))
                throw new InvalidRequestException("stop", $"Stop string {i} is empty. Leave it out.");
            numChars += stop[i].Length;
        }

        if (numChars > options.MaxStopChars)
            throw new InvalidRequestException("stop", $"The stop strings have {numChars} characters together; at most {options.MaxStopChars} are allowed.");
        return new StopStrings([.. stop]);
    }

    // Written so that NaN fails.
    private static void Within(string parameter, float value, float least, float most)
    {
        if (!(value >= least && value <= most))
            throw new InvalidRequestException(parameter, $"{parameter} is {value}; it must be from {least} to {most}.");
    }

    private static void Within(string parameter, int value, int least, int most)
    {
        if (value < least || value > most)
            throw new InvalidRequestException(parameter, most == int.MaxValue ? $"{parameter} is {value}; it must be at least {least}." : $"{parameter} is {value}; it must be from {least} to {most}.");
    }
}
