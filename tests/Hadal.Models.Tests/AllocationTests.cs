using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Jit;

namespace Hadal.Models.Tests;

/// <summary>A decode step allocates nothing on the managed heap, its workers included, once buffers have grown and code is compiled.</summary>
/// <remarks>Bytes are counted for the process, so no other test may run at the same time.</remarks>
[Collection(nameof(AllocationTests))]
[CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public sealed class AllocationTests
{
    private const int BlockSize = 4;
    private const int PromptTokens = 6;
    private const int Steps = 30;

    public static TheoryData<string, int, bool, WeightConversion> Cases()
    {
        var data = new TheoryData<string, int, bool, WeightConversion>();
        foreach (string family in new[] { "deepseek_v3", "deepseek_v3_fp8", "qwen2" })
        {
            foreach (int batch in new[] { 1, 4 })
            {
                data.Add(family, batch, false, WeightConversion.AsStored);
                data.Add(family, batch, true, WeightConversion.AsStored);
                data.Add(family, batch, true, WeightConversion.Int8);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Decode_InTheSteadyState_AllocatesNothing(string family, int batch, bool pack, WeightConversion weights)
    {
        Assert.SkipUnless(!pack || CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");
        using var golden = new Golden(family, "default", new CpuOptions { Threads = 2, BlockSize = BlockSize, Pack = pack, Weights = weights });
        using var step = new StepBatch(BlockSize);
        int pages = (PromptTokens + Steps + BlockSize - 1) / BlockSize;
        int[][] tables = [.. Enumerable.Range(0, batch).Select(s => Enumerable.Range(s * pages, pages).ToArray())];
        int[] ids = golden.Rows[0];
        Run(PromptTokens, 0);

        // Code that the JIT has not optimised yet boxes in generic math, and optimising happens in the background: rounds are run, with pauses, until one
        // is clean. Code that allocates never is.
        long allocated = -1;
        for (int round = 0; round < 100 && allocated != 0; round++)
        {
            await Task.Delay(round < 10 ? 1 : 30, TestContext.Current.CancellationToken);
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Steps; i++)
            {
                Run(1, PromptTokens + i);
            }

            allocated = GC.GetTotalAllocatedBytes(precise: true) - before;
        }

        Assert.True(allocated == 0, $"{allocated} bytes in {Steps} steps");

        void Run(int tokens, int position)
        {
            step.Reset(batch, pages);
            for (int s = 0; s < batch; s++)
            {
                // Other tokens in each sequence, so that experts are chosen differently.
                step.AddSequence(ids.AsSpan((position + s) % (ids.Length - tokens), tokens), position, tables[s], LogitsWanted.Last);
            }

            golden.Model.Runner.Run(step);
        }
    }
}
