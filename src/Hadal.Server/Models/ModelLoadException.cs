using Hadal.Numerics;

namespace Hadal.Server.Models;

/// <summary>A model that was asked for could not be loaded. What went wrong, with its paths, is for the log.</summary>
internal sealed class ModelLoadException(string id, Exception cause) : HadalException($"The model '{id}' could not be loaded; the server's log says why.", cause);
