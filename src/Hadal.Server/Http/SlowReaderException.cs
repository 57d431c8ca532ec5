using Hadal.Numerics;

namespace Hadal.Server.Http;

/// <summary>The client took nothing of its stream for so long that it was cut off.</summary>
internal sealed class SlowReaderException(TimeSpan timeout) : HadalException($"The client took nothing of its stream for {timeout.TotalSeconds} s.");
