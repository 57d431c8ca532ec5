using System.Threading.Channels;
using Hadal.Engine.Stopping;

namespace Hadal.Engine.Requests;

/// <summary>A request under way. Made by the caller's thread; everything with a setter belongs to the engine's thread.</summary>
internal sealed class Request
{
    // Never more than its tokens wait here, and those are bounded at admission: the loop never waits for a slow reader.
    private readonly Channel<GenerationEvent> _events = Channel.CreateUnbounded<GenerationEvent>(new() { SingleReader = true, SingleWriter = true });

    public Request(AdmittedRequest admitted, long submittedTimestamp)
    {
        Id = admitted.Id;
        PromptTokens = admitted.PromptTokens;
        Parameters = admitted.Parameters;
        MaxTokens = admitted.MaxTokens;
        EndIds = admitted.EndIds;
        StopStrings = admitted.StopStrings;
        CreateDecoder = admitted.CreateDecoder;
        Seed = admitted.Seed;
        SubmittedTimestamp = submittedTimestamp;
        PromptLogProbs = Parameters.PromptLogProbs is null ? null : new TokenLogProb?[PromptTokens.Length];
        Sequences = new Sequence[Parameters.N];
        for (int i = 0; i < Sequences.Length; i++)
            Sequences[i] = new Sequence(this, i);
        NumUnfinished = Sequences.Length;
    }

    public string Id { get; }

    public int[] PromptTokens { get; }

    public SamplingParams Parameters { get; }

    /// <summary>Tokens of one answer at the most, the context and the pages taken into account.</summary>
    public int MaxTokens { get; }

    public int[] EndIds { get; }

    public StopStrings? StopStrings { get; }

    public Func<bool, ITextDecoder>? CreateDecoder { get; }

    public ulong Seed { get; }

    public long SubmittedTimestamp { get; }

    public Sequence[] Sequences { get; }

    /// <summary>Filled as the prompt is computed; null if not asked for.</summary>
    public TokenLogProb?[]? PromptLogProbs { get; }

    public bool HasPromptLogProbs { get; set; }

    /// <summary>Place in the order of arrival, from 1.</summary>
    public long Order { get; set; }

    public bool HasStarted { get; set; }

    public bool HasFirstToken { get; set; }

    public bool HasEmitted { get; set; }

    /// <summary>Prompt tokens that the first choice found in the cache when it started. What the choices share among each other does not count.</summary>
    public int NumCachedTokens { get; set; }

    public int NumGeneratedTokens { get; set; }

    public int NumUnfinished { get; set; }

    /// <summary>The gravest of the choices' reasons.</summary>
    public FinishReason Outcome { get; set; }

    public ChannelReader<GenerationEvent> Events => _events.Reader;

    public ChannelWriter<GenerationEvent> Writer => _events.Writer;
}
