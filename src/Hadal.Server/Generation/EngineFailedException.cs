using Hadal.Numerics;

namespace Hadal.Server.Generation;

/// <summary>The engine ended a choice with an error; the message is for the log, not for the client.</summary>
internal sealed class EngineFailedException(string message) : HadalException(message);
