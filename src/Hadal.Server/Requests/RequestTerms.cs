using System.Globalization;
using Hadal.Server.Access;
using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Requests;

/// <summary>How urgent a request is and how long it may take; null where it does not say.</summary>
internal readonly record struct RequestTerms(int? Priority, TimeSpan? Timeout)
{
    public const string TimeoutHeader = "X-Request-Timeout";

    private const int MaxPriority = 1000;
    private const float MaxTimeoutSeconds = 86_400;

    /// <summary>The field <c>timeout</c> goes before the header.</summary>
    /// <exception cref="ApiException">A value is out of bounds, or the class more urgent than the key may ask for.</exception>
    public static RequestTerms Read(JsonFields body, HttpContext context)
    {
        int? priority = body.Int("priority", -MaxPriority, MaxPriority);
        if (priority is { } wanted && context.Features.Get<Caller>() is { } caller && wanted < caller.MostUrgentPriority)
            throw ApiException.Invalid("priority", $"'priority' is {wanted}; this API key may ask for {caller.MostUrgentPriority} and above (the lower, the more urgent).", "invalid_value");
        float? seconds = body.Float("timeout", 0, MaxTimeoutSeconds, minExclusive: true) ?? FromHeader(context);
        return new RequestTerms(priority, seconds is { } s ? TimeSpan.FromSeconds(s) : null);
    }

    private static float? FromHeader(HttpContext context)
    {
        string text = context.Request.Headers[TimeoutHeader].ToString();
        if (text.Length == 0)
            return null;
        return float.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out float seconds) && seconds is > 0 and <= MaxTimeoutSeconds
            ? seconds
            : throw ApiException.Invalid(TimeoutHeader, $"The header {TimeoutHeader} is '{ApiException.Shorten(text)}'; a number of seconds above 0 and up to {MaxTimeoutSeconds} is expected.", "invalid_value");
    }
}
