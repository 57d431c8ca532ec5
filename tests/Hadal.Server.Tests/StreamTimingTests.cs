using Hadal.Engine;
using Hadal.Engine.Tests.Fakes;
using Hadal.Server.Tests.Fakes;

namespace Hadal.Server.Tests;

public sealed class StreamTimingTests
{
    /// <summary>Step k + 1 does not begin before the client has read what step k made: nothing waits for a later token, a timer or a full buffer.</summary>
    [Fact]
    public async Task Token_ReachesTheSocket_InTheStepThatMadeIt()
    {
        const int NumTokens = 12;
        using var mayStep = new SemaphoreSlim(0);
        (LlmEngine engine, PagedHashRunner runner) = HashEngine.Create();
        runner.BeforeStep = _ => Assert.True(mayStep.Wait(TimeSpan.FromSeconds(20)), "no leave to step within 20 s");
        await using (engine)
        {
            await using var server = await ServerFixture.StartAsync(ServerFixture.Toy(engine));
            using RawClient client = await RawClient.ConnectAsync(server);

            // logprobs give each token a chunk of its own, also where its text waits for the rest of a character.
            await client.SendAsync(RawClient.Post("/v1/completions", $$"""{"model":"toy","prompt":"x","stream":true,"ignore_eos":true,"logprobs":0,"max_tokens":{{NumTokens}},"temperature":0}"""));
            string last = "";
            for (int i = 0; i < NumTokens; i++)
            {
                mayStep.Release();
                last = await client.ReadAsync("token_logprobs");
                Assert.Contains("token_logprobs", last, StringComparison.Ordinal);
                Assert.Equal(i + 1, runner.NumSteps);
            }

            Assert.Contains("[DONE]", last + await client.ReadAsync(), StringComparison.Ordinal);
        }
    }
}
