using System.Threading.Channels;
using Hadal.Engine.Constraints;
using Hadal.Engine.Embedding;
using Hadal.Engine.Stopping;

namespace Hadal.Engine.Requests;

/// <summary>A request under way. Made by the caller's thread; everything with a setter belongs to the engine's thread.</summary>
internal sealed class Request
{
    // Never more than its tokens wait here, and those are bounded at admission: the loop never waits for a slow reader.
    private readonly Channel<GenerationEvent> _events = Channel.CreateUnbounded<GenerationEvent>(new() { SingleReader = true, SingleWriter = true });

    public Request(AdmittedRequest admitted, long submittedTimestamp, in RequestClock clock)
    {
        Priority = admitted.Priority;
        TenantName = admitted.Tenant;
        Timeout = admitted.Timeout;
        Deadline = admitted.Timeout is { } timeout ? clock.After(submittedTimestamp, timeout) : long.MaxValue;
        AgedRank = submittedTimestamp + admitted.Priority * clock.AgeingTicks;
        Id = admitted.Id;
        PromptTokens = admitted.PromptTokens;
        Parameters = admitted.Parameters;
        MaxTokens = admitted.MaxTokens;
        EndIds = admitted.EndIds;
        StopStrings = admitted.StopStrings;
        CreateDecoder = admitted.CreateDecoder;
        CreateConstraint = admitted.CreateConstraint;
        Seed = admitted.Seed;
        SubmittedTimestamp = submittedTimestamp;
        Adapter = admitted.Adapter;
        Pool = admitted.Embedding is { } wish ? new HiddenPool(wish) : null;
        PromptLogProbs = Parameters.PromptLogProbs is null ? null : new TokenLogProb?[PromptTokens.Length];
        Sequences = new Sequence[Parameters.N];
        for (int i = 0; i < Sequences.Length; i++)
            Sequences[i] = new Sequence(this, i);
        NumUnfinished = Sequences.Length;
    }

    public string Id { get; }

    public int Priority { get; }

    public string TenantName { get; }

    public TimeSpan? Timeout { get; }

    /// <summary>Timestamp at which its time is over.</summary>
    public long Deadline { get; }

    /// <summary>
    /// Order among those that run: its time of arrival, moved by its class. A class is worth so much waiting, so the order of two never changes, and whoever
    /// came long enough ago stands before all that come now.
    /// </summary>
    public long AgedRank { get; }

    /// <summary>Its share's account; set when it is taken in.</summary>
    public Scheduling.TenantShare? Share { get; set; }

    /// <summary>Place among those that wait in the inbox' count; null once started or shed. Guarded by the inbox.</summary>
    public LinkedListNode<Request>? QueuePlace { get; set; }

    /// <summary>What the reader gets in place of a last event.</summary>
    public Exception? DroppedBy { get; set; }

    public int[] PromptTokens { get; }

    public SamplingParams Parameters { get; }

    /// <summary>Tokens of one answer at the most, the context and the pages taken into account.</summary>
    public int MaxTokens { get; }

    public int[] EndIds { get; }

    public StopStrings? StopStrings { get; }

    public Func<bool, ITextDecoder>? CreateDecoder { get; }

    public Func<ITokenConstraint>? CreateConstraint { get; }

    public ulong Seed { get; }

    public long SubmittedTimestamp { get; }

    /// <summary>Number of the adapter, as the runner has them; 0 for none.</summary>
    public int Adapter { get; }

    /// <summary>Where the prompt's hidden states go; null for a request that wants tokens.</summary>
    public HiddenPool? Pool { get; }

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

    /// <summary>Drafts that were verified, of all choices, and those of them that became tokens.</summary>
    public int NumDraftedTokens { get; set; }

    public int NumAcceptedTokens { get; set; }

    public int NumUnfinished { get; set; }

    /// <summary>The gravest of the choices' reasons.</summary>
    public FinishReason Outcome { get; set; }

    public ChannelReader<GenerationEvent> Events => _events.Reader;

    public ChannelWriter<GenerationEvent> Writer => _events.Writer;
}
