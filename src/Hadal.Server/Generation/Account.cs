using Hadal.Server.Access;
using Microsoft.AspNetCore.Http;

namespace Hadal.Server.Generation;

/// <summary>What one job costs its caller: the prompts when it begins, the answers when it ends, however it does.</summary>
internal sealed class Account : IDisposable
{
    private readonly Caller? _caller;

    private Account(Caller? caller) => _caller = caller;

    public long NumAnswerTokens { get; set; }

    /// <exception cref="Http.ApiException">The caller's quota is used up.</exception>
    public static Account Open(HttpContext context, GenerationJob job)
    {
        var caller = context.Features.Get<Caller>();
        long numTokens = 0;
        foreach (int[] prompt in job.Prompts)
            numTokens += prompt.Length;
        caller?.TakePromptTokens(context, numTokens);
        return new Account(caller);
    }

    public void Dispose() => _caller?.AddAnswerTokens(NumAnswerTokens);
}
