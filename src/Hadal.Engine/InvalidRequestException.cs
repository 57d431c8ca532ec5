using Hadal.Numerics;

namespace Hadal.Engine;

/// <summary>A request that cannot be served as it is. <see cref="Parameter"/> names the field in the API's spelling (<c>max_tokens</c>).</summary>
public sealed class InvalidRequestException : HadalException
{
    public InvalidRequestException(string parameter, string message)
        : base(message) => Parameter = parameter;

    public string Parameter { get; }
}
