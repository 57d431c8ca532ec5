namespace Hadal.Engine.Tests.Fakes;

internal sealed class RecordingObserver : IEngineObserver
{
    public List<TimeSpan> QueueTimes { get; } = [];

    public List<TimeSpan> FirstTokens { get; } = [];

    public List<TimeSpan> NextTokens { get; } = [];

    public List<(TimeSpan Time, int NumTokens, int NumSequences)> Steps { get; } = [];

    public List<(FinishReason Reason, TokenUsage Usage, TimeSpan Time)> Finished { get; } = [];

    public void OnStarted(TimeSpan queueTime, int numPromptTokens, int numCachedTokens) => QueueTimes.Add(queueTime);

    public void OnFirstToken(TimeSpan timeToFirstToken) => FirstTokens.Add(timeToFirstToken);

    public void OnNextToken(TimeSpan interTokenTime) => NextTokens.Add(interTokenTime);

    public void OnStep(TimeSpan stepTime, int numTokens, int numSequences) => Steps.Add((stepTime, numTokens, numSequences));

    public void OnFinished(FinishReason reason, TokenUsage usage, TimeSpan totalTime) => Finished.Add((reason, usage, totalTime));
}
