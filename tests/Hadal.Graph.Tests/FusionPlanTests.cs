using Hadal.Graph.Ir;
using Hadal.Graph.Ir.Ops;
using Hadal.Graph.Passes;
using Hadal.Numerics;

namespace Hadal.Graph.Tests;

public sealed class FusionPlanTests
{
    [Fact]
    public void Parse_Names_AreChosenInTheOrderTheyRun()
    {
        Assert.Equal(FusionPlan.All, FusionPlan.Parse("default").Passes);
        Assert.Empty(FusionPlan.Parse("none").Passes);
        Assert.False(FusionPlan.Parse("none").ShareBuffers);
        Assert.Equal(["silu-mul", "join-projections"], FusionPlan.Parse("silu-mul, join-projections").Passes.Select(p => p.Name));
        Assert.DoesNotContain(FusionPlan.Parse("default,-mla-absorption").Passes, p => p.Name == "mla-absorption");
    }

    [Fact]
    public void Parse_UnknownName_SaysWhichThereAre()
    {
        HadalException e = Assert.Throws<HadalException>(() => FusionPlan.Parse("default,fuse-all"));
        Assert.Contains("fuse-all", e.Message);
        Assert.Contains("join-projections", e.Message);
    }

    [Fact]
    public void JoinProjections_ViewsOfViews_KeepTheirColumns()
    {
        var g = new ModelGraph { Scope = "x" };
        Value x = g.Embed(WeightSpec.Matrix("e", 4, 16));
        Value a = g.Linear(x, WeightSpec.Matrix("a", 24, 16));
        Value b = g.Linear(x, WeightSpec.Matrix("b", 40, 16));
        Value tail = g.Slice(b, 30, 8);
        Value sum = g.Add(g.Slice(a, 0, 8), tail);
        g.Output("logits", g.SelectLogitRows(sum));

        Assert.Equal(1, new JoinProjections().Apply(g));
        Node add = g.Nodes.Single(n => n.Op is AddOp);
        Assert.Same(add.Inputs[0].Root, add.Inputs[1].Root);
        Assert.Equal((0, 54), (add.Inputs[0].Offset, add.Inputs[1].Offset));
        Assert.Equal(64, add.Inputs[0].Root.Columns);
    }

    [Fact]
    public void ResidualEpilogue_AddendMadeLater_IsLeftAlone()
    {
        var g = new ModelGraph { Scope = "x" };
        Value x = g.Embed(WeightSpec.Matrix("e", 4, 16));
        Value a = g.Linear(x, WeightSpec.Matrix("a", 16, 16));
        Value later = g.Silu(x);
        g.Output("logits", g.SelectLogitRows(g.Add(a, later)));
        Assert.Equal(0, new ResidualEpilogue().Apply(g));

        var h = new ModelGraph { Scope = "x" };
        x = h.Embed(WeightSpec.Matrix("e", 4, 16));
        Value earlier = h.Silu(x);
        h.Output("logits", h.SelectLogitRows(h.Add(h.Linear(x, WeightSpec.Matrix("a", 16, 16)), earlier)));
        Assert.Equal(1, new ResidualEpilogue().Apply(h));
    }

    [Fact]
    public void SiluMul_SiluReadTwice_IsLeftAlone()
    {
        var g = new ModelGraph { Scope = "x" };
        Value x = g.Embed(WeightSpec.Matrix("e", 4, 16));
        Value s = g.Silu(x);
        g.Output("logits", g.SelectLogitRows(g.Add(g.Mul(s, x), s)));
        Assert.Equal(0, new SiluMul().Apply(g));
    }

    [Fact]
    public void DeadNodes_UnreadBranch_IsDroppedAndCacheWritesStay()
    {
        var g = new ModelGraph { Scope = "x" };
        Value x = g.Embed(WeightSpec.Matrix("e", 4, 16));
        g.Silu(g.Silu(x));
        g.KvWrite(x, x, 0);
        g.Output("logits", g.SelectLogitRows(x));
        Assert.Equal(2, new DeadNodes().Apply(g));
        Assert.Contains(g.Nodes, n => n.Op is KvWriteOp);
    }
}
