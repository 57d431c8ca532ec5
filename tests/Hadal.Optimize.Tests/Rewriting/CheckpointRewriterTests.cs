using Hadal.Demo;
using Hadal.Formats.Checkpoints;
using Hadal.Formats.Config;
using Hadal.Formats.Safetensors;
using Hadal.Numerics;
using Hadal.Optimize.Rewriting;

namespace Hadal.Optimize.Tests.Rewriting;

public sealed class CheckpointRewriterTests
{
    private static readonly byte[] _config = DemoConfig();

    [Fact]
    public void Finish_OfUnchangedTensors_GivesACheckpointWithTheSameBytes()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        using (CheckpointRewriter rewriter = CheckpointRewriter.Open(demo, folder["out"], new Unchanged(), "same"))
        {
            rewriter.ProcessAll(CancellationToken.None);
            rewriter.Finish(_config);
        }

        using Checkpoint copy = Checkpoint.Open(folder["out"]);
        Assert.Equal(demo.Tensors.Names.Order(StringComparer.Ordinal), copy.Tensors.Names.Order(StringComparer.Ordinal));
        foreach (string name in demo.Tensors.Names)
        {
            Assert.True(demo.Tensors.TryGet(name, out StoredTensor? a) && copy.Tensors.TryGet(name, out StoredTensor? b) && a.DType == b.DType && a.Shape.SequenceEqual(b.Shape)
                && a.Slice(0, (int)a.ByteLength).SequenceEqual(b.Slice(0, (int)b.ByteLength)), name);
        }

        Assert.False(Directory.Exists(folder["out.partial"]));
        Assert.NotNull(CheckpointText.LoadTokenizer(copy));
    }

    [Fact]
    public void Open_AfterAnInterruption_GoesOnAtTheUnfinishedShards()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        int rewritten = 0;
        int firstShard = ((SafetensorsCheckpoint)demo.Tensors).Files.OrderBy(f => f.Path, StringComparer.Ordinal).First().Tensors.Count;
        using (CheckpointRewriter rewriter = CheckpointRewriter.Open(demo, folder["out"], new Unchanged(() => rewritten++), "a"))
        {
            foreach (string name in rewriter.Pending.Take(firstShard + 3).ToList())
            {
                rewriter.Process(name);
            }
        }

        Assert.False(Directory.Exists(folder["out"]));
        Assert.Contains("--restart", Assert.Throws<HadalException>(() => CheckpointRewriter.Open(demo, folder["out"], new Unchanged(), "b")).Message, StringComparison.Ordinal);
        rewritten = 0;
        using (CheckpointRewriter rewriter = CheckpointRewriter.Open(demo, folder["out"], new Unchanged(() => rewritten++), "a"))
        {
            Assert.Equal(1, rewriter.NumResumedShards);
            Assert.Equal(demo.Tensors.Names.Count - firstShard, rewriter.Pending.Count());
            rewriter.ProcessAll(CancellationToken.None);
            rewriter.Finish(_config);
        }

        Assert.Equal(demo.Tensors.Names.Count - firstShard, rewritten);
        using Checkpoint copy = Checkpoint.Open(folder["out"]);
        Assert.Equal(demo.Tensors.Names.Count, copy.Tensors.Names.Count);
    }

    [Fact]
    public void Open_OverAnExistingFolder_RefusesAndTouchesNothing()
    {
        using var folder = new TestFolder();
        Directory.CreateDirectory(folder["out"]);
        using Checkpoint demo = DemoModel.Open();
        Assert.Contains("exists already", Assert.Throws<HadalException>(() => CheckpointRewriter.Open(demo, folder["out"], new Unchanged(), "")).Message, StringComparison.Ordinal);
        Assert.Equal(["out"], Directory.GetFileSystemEntries(folder.Path).Select(Path.GetFileName));
    }

    [Fact]
    public void Open_WhereTheRewriteRefuses_LeavesNoFolder()
    {
        using var folder = new TestFolder();
        using Checkpoint demo = DemoModel.Open();
        Assert.Throws<HadalException>(() => CheckpointRewriter.Open(demo, folder["out"], new Refusing(), ""));
        Assert.Empty(Directory.GetFileSystemEntries(folder.Path));
    }

    [Fact]
    public void Complete_WithATensorThatIsNotWhole_Throws()
    {
        using var folder = new TestFolder();
        using var stream = new SafetensorsStream(folder["a.safetensors"], [new TensorPlan("x", DType.F32, [4])]);
        stream.Append("x", new byte[12]);
        Assert.Throws<InvalidOperationException>(stream.Complete);
        Assert.Throws<ArgumentOutOfRangeException>(() => stream.Append("x", new byte[5]));
        stream.Append("x", new byte[4]);
        stream.Complete();
        using SafetensorsFile file = SafetensorsFile.Open(folder["a.safetensors"]);
        Assert.Single(file.Tensors);
    }

    private static byte[] DemoConfig()
    {
        using Checkpoint demo = DemoModel.Open();
        return demo.Files!.Read(ModelConfigReader.ConfigName, 1 << 20);
    }

    private sealed class Unchanged(Action? rewritten = null) : ITensorRewrite
    {
        public IReadOnlyList<TensorPlan> Plan(StoredTensor tensor) => [new TensorPlan(tensor.Name, tensor.DType, [.. tensor.Shape])];

        public void Rewrite(StoredTensor tensor, TensorSink sink)
        {
            rewritten?.Invoke();
            sink.Copy(tensor);
        }
    }

    private sealed class Refusing : ITensorRewrite
    {
        public IReadOnlyList<TensorPlan> Plan(StoredTensor tensor) => throw new HadalException("no");

        public void Rewrite(StoredTensor tensor, TensorSink sink) => throw new NotSupportedException();
    }
}
