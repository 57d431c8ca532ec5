namespace Hadal.Server.InProcess;

/// <param name="Status">HTTP status.</param>
/// <param name="RequestId">X-Request-Id.</param>
/// <param name="Body">As a client over a socket would get it.</param>
public sealed record InProcessAnswer(int Status, string RequestId, byte[] Body);
