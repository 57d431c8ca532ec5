namespace Hadal.Server.Telemetry;

/// <summary>Values of the label <c>outcome</c> of hadal_requests_total.</summary>
internal static class Outcomes
{
    public const string Ok = "ok";
    public const string ClientError = "client_error";
    public const string Rejected = "rejected";
    public const string ServerError = "server_error";
    public const string Cancelled = "cancelled";
    public const string SlowReader = "slow_reader";

    public static string Of(int status) => status switch
    {
        < 400 => Ok,
        429 or 503 => Rejected,
        < 500 => ClientError,
        _ => ServerError,
    };
}
