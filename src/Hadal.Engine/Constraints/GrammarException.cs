using Hadal.Numerics;

namespace Hadal.Engine.Constraints;

/// <summary>A schema, regular expression or grammar that cannot be used; the message is for whoever wrote it.</summary>
public sealed class GrammarException(string message) : HadalException(message);
