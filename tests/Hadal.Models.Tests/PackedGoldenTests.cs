using Hadal.Formats.Config;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Graph.Passes;
using Hadal.Jit;
using Hadal.Models.Loading;
using Hadal.Models.Synthetic;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>Every family on emitted kernels: activations are rounded, so logits move a little and greedy tokens only where two were near.</summary>
public sealed class PackedGoldenTests
{
    public static TheoryData<string, WeightConversion> Cases()
    {
        var data = new TheoryData<string, WeightConversion>();
        foreach (string family in Golden.Families)
        {
            data.Add(family, WeightConversion.AsStored);
            // Not the random mixtures: their routers choose between near-equal scores, and one flipped expert outweighs all rounding.
            // What int8 costs a trained mixture is measured on the demo's held-out text.
            if (!family.StartsWith("deepseek", StringComparison.Ordinal))
            {
                data.Add(family, WeightConversion.Int8);
            }
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Logits_OnPackedWeights_StayNearTheReference(string family, WeightConversion weights)
    {
        Assert.SkipUnless(CpuFeatures.Detect() is { Avx512Vnni: true, Avx512Bf16: true }, "this machine has no such instructions, or they are switched off");
        using var golden = new Golden(family, "default", new CpuOptions { Threads = 2, BlockSize = 4, Pack = true, Weights = weights, KvDType = DType.Bf16 });
        float[] logits = golden.Prefill(golden.Rows, chunk: 7);
        double mean = 0;
        double square = 0;
        for (int i = 0; i < logits.Length; i++)
        {
            mean += Math.Abs(logits[i] - golden.Logits[i]) / logits.Length;
            square += (double)golden.Logits[i] * golden.Logits[i] / logits.Length;
        }

        // bf16 keeps 8 bits, int8 by rows of a random matrix about 6: the share of the logits' size that rounding may take.
        // A random mixture's routers choose between near-equal scores, and a flipped expert is a larger step than any rounding.
        bool mixture = family.StartsWith("deepseek", StringComparison.Ordinal);
        double bound = mixture ? 0.1 : weights == WeightConversion.Int8 ? 0.05 : 0.02;
        Assert.InRange(mean / Math.Sqrt(square), 0, bound);
    }

    /// <summary>A pass left out must not leave an operation with weights whose stored bytes went when they were packed.</summary>
    [Theory]
    [InlineData("none")]
    [InlineData("default,-group-experts")]
    [InlineData("default,-mla-absorption")]
    [InlineData("default,-gate-up")]
    [InlineData("default,-join-projections")]
    public void Synthetic_AnyPassLeftOut_RunsPacked(string fusion)
    {
        ModelConfig config = SyntheticModels.Find("deepseek-v2-lite-small", 2);
        foreach (DType dtype in new[] { DType.Bf16, DType.Q8_0 })
        {
            var logits = new List<float[]>();
            foreach (string passes in new[] { "default", fusion })
            {
                using var weights = new SyntheticTensors(ModelCatalog.Find(config).Build(config), dtype);
                using LoadedModel model = ModelLoader.Load(config, weights, new LoadOptions
                {
                    Fusion = FusionPlan.Parse(passes),
                    MaxContextLen = 16,
                    MaxSequences = 1,
                    Cpu = new CpuOptions { Threads = 2, Pack = true },
                }, cancellationToken: TestContext.Current.CancellationToken);
                using var batch = new StepBatch(model.Runner.BlockSize);
                batch.Reset(1, 1);
                batch.AddSequence([1, 2, 3, 4, 5], 0, [0], LogitsWanted.Last);
                logits.Add(model.Runner.Run(batch).ToArray());
            }

            double difference = logits[0].Zip(logits[1], (a, b) => Math.Abs((double)a - b)).Average();
            Assert.InRange(difference / Math.Sqrt(logits[0].Average(l => (double)l * l)), 0, 0.1);
        }
    }
}
