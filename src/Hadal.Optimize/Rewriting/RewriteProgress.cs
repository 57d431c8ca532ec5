namespace Hadal.Optimize.Rewriting;

/// <param name="BytesDone">Bytes of the source whose tensors are written.</param>
/// <param name="BytesTotal">Of how many.</param>
/// <param name="BytesThisRun">Of those done, the ones that this run did: what speed is told from.</param>
/// <param name="Name">The tensor last written.</param>
public readonly record struct RewriteProgress(long BytesDone, long BytesTotal, long BytesThisRun, string Name);
