using Hadal.Graph.Cpu;
using Hadal.Graph.Cuda;
using Hadal.Graph.Execution;
using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Models.Loading;

namespace Hadal.Models.Tests;

/// <summary>What the card's compiler makes of a graph before it compiles it, seen without a card.</summary>
public sealed class ResidualIntoLinearTests
{
    [Theory]
    [InlineData("llama")]
    [InlineData("qwen2")]
    [InlineData("qwen3")]
    public void Apply_ToADenseFamily_LeavesOnlyTheFinalNormAdding(string family)
    {
        using var golden = new Golden(family, "default");
        (ModelGraph graph, _) = ModelLoader.BuildGraph(golden.Model.Config, FusionPlan.Default);
        int norms = graph.Nodes.Count(n => n.Op is AddRmsNormOp);
        Assert.Equal(2 * golden.Model.Config.NumHiddenLayers, norms);
        // The final norm's rows are an output (hidden states): they must lie in memory, so no matmul norms them for itself.
        Assert.Equal(norms - 1, ResidualIntoLinear.Apply(graph));
        Assert.Single(graph.Nodes, n => n.Op is AddRmsNormOp);
        Assert.Equal(norms - 1, graph.Nodes.Count(n => n.Op is LinearOp { HasResidual: true }));
        Assert.Equal(0, ResidualIntoLinear.Apply(graph));
    }

    [Theory]
    [InlineData("deepseek_v2_lite")]
    [InlineData("deepseek_v3")]
    [InlineData("llama")]
    [InlineData("qwen2")]
    public void Apply_ChangesNoLogits(string family)
    {
        using var golden = new Golden(family, "default");
        var config = golden.Model.Config;
        (ModelGraph graph, _) = ModelLoader.BuildGraph(config, FusionPlan.Default);
        Assert.InRange(ResidualIntoLinear.Apply(graph), 1, 100);
        var options = new CpuOptions { Threads = 2, BlockSize = 4 };
        using var runner = new CpuModelRunner(CpuCompiler.Compile(graph, golden.Checkpoint.Tensors, config.Fp8BlockSize, [], new WorkerPool(2), options, cancellationToken: TestContext.Current.CancellationToken), options, config.VocabSize, 256, 64);
        using var batch = new StepBatch(4);
        int[] ids = golden.Rows[0];
        batch.Reset(1, 16);
        batch.AddSequence(ids, 0, [.. Enumerable.Range(0, 16)], LogitsWanted.All);
        float[] logits = runner.Run(batch).ToArray();
        for (int i = 0; i < logits.Length; i++)
        {
            Assert.InRange(Math.Abs(logits[i] - golden.Logits[i]), 0, 2e-3f);
        }
    }
}
