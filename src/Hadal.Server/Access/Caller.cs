using System.Globalization;
using Hadal.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Access;

/// <summary>Who asks, with what they have used of their quotas. One for each key, and one for all who need none. Thread-safe.</summary>
internal sealed class Caller(ApiKey? key, TimeProvider time)
{
    private readonly SlidingWindow? _requests = key?.RequestsPerMinute is { } requests ? new SlidingWindow(requests, time) : null;
    private readonly SlidingWindow? _tokens = key?.TokensPerMinute is { } tokens ? new SlidingWindow(tokens, time) : null;

    /// <summary>For fair shares in the engine's queue.</summary>
    public string Tenant => key?.Name ?? "";

    /// <summary>The class of requests that ask for none.</summary>
    public int Priority => key?.Priority ?? 0;

    /// <summary>Without keys nobody is told apart, and any class may be asked for.</summary>
    public int MostUrgentPriority => key?.Priority ?? int.MinValue;

    /// <exception cref="ApiException">The quota of requests is used up.</exception>
    public void TakeRequest(HttpContext context) => Take(context, _requests, 1, "requests");

    /// <exception cref="ApiException">The quota of tokens is used up, or the prompt alone is above it.</exception>
    public void TakePromptTokens(HttpContext context, long numTokens)
    {
        if (_tokens is not null && numTokens > _tokens.Limit)
        {
            throw new ApiException(
                429,
                "rate_limit_error",
                $"The prompt has {numTokens} tokens, but this API key may use {_tokens.Limit} tokens a minute: it will never fit. Shorten it.",
                null,
                "tokens_quota_exceeded");
        }

        Take(context, _tokens, numTokens, "tokens");
    }

    public void AddAnswerTokens(long numTokens) => _tokens?.Add(numTokens);

    private static void Take(HttpContext context, SlidingWindow? window, long amount, string what)
    {
        if (window is null)
            return;
        bool isTaken = window.TryTake(amount, out var retryAfter);
        (long remaining, var reset) = window.Now();
        if (!context.Response.HasStarted)
        {
            var headers = context.Response.Headers;
            headers["x-ratelimit-limit-" + what] = window.Limit.ToString(CultureInfo.InvariantCulture);
            headers["x-ratelimit-remaining-" + what] = remaining.ToString(CultureInfo.InvariantCulture);
            headers["x-ratelimit-reset-" + what] = string.Create(CultureInfo.InvariantCulture, $"{reset.TotalSeconds:0.###}s");
        }

        if (!isTaken)
        {
            throw new ApiException(429, "rate_limit_error", $"This API key may use {window.Limit} {what} a minute, and they are used up. Try again in {Math.Ceiling(retryAfter.TotalSeconds)} s.", null, what + "_quota_exceeded")
            {
                RetryAfter = retryAfter,
            };
        }
    }
}
