using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>The engine takes no requests any more: its device or its loop has failed for good. Restart the process.</summary>
public sealed class EngineUnavailableException(string message, Exception? cause = null) : HadalException(message, cause!)
{
}
