namespace Hadal.Graph.Execution;

/// <param name="BytesDone">Bytes of weights bound so far.</param>
/// <param name="BytesTotal">Bytes of weights there are.</param>
/// <param name="Current">The weight at hand.</param>
public readonly record struct LoadProgress(long BytesDone, long BytesTotal, string Current);
