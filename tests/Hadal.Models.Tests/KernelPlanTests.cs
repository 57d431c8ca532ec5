using Hadal.Graph.Cpu;
using Hadal.Jit;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>What is planned from shapes and types is what the compiler then makes of the weights.</summary>
public sealed class KernelPlanTests
{
    public static TheoryData<string, string, WeightConversion> Cases()
    {
        var data = new TheoryData<string, string, WeightConversion>();
        foreach (string family in Golden.Families)
        {
            data.Add(family, "default", WeightConversion.AsStored);
            data.Add(family, "default", WeightConversion.Int8);
            data.Add(family, "none", WeightConversion.AsStored);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Plan_OfFamily_IsWhatTheProgramRuns(string family, string fusion, WeightConversion weights)
    {
        foreach (bool pack in new[] { true, false })
        {
            var options = new CpuOptions { Threads = 1, BlockSize = 4, Pack = pack, Weights = weights, KvDType = DType.Bf16 };
            using var golden = new Golden(family, fusion, options);
            var planned = KernelPlan.Of(golden.Model.Graph, golden.Checkpoint.Tensors, golden.Checkpoint.Config.Fp8BlockSize, CpuFeatures.Detect(), options)
                .Where(u => u.Kind is not null || u.Attention is not null).Select(u => u.Node).ToHashSet();
            foreach (CpuOp op in golden.Model.Cpu.Program.Ops)
            {
                string name = op.GetType().Name;
                Assert.Equal(planned.Contains(op.Node), name.StartsWith("CpuPacked", StringComparison.Ordinal) || name == "CpuEmittedAttention");
            }
        }
    }

    [Fact]
    public void Plan_WithoutInstructions_IsAsStored()
    {
        using var golden = new Golden("qwen2", "default");
        IReadOnlyList<KernelUse> uses = KernelPlan.Of(golden.Model.Graph, golden.Checkpoint.Tensors, null, CpuFeatures.None, new CpuOptions { Pack = true });
        Assert.NotEmpty(uses);
        Assert.All(uses, u => Assert.Null(u.Kind));
    }
}
