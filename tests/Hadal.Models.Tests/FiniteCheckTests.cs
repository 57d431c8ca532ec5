using System.Diagnostics.CodeAnalysis;
using Hadal.Formats.Checkpoints;
using Hadal.Graph.Cpu;
using Hadal.Graph.Execution;
using Hadal.Models.Loading;
using Hadal.Numerics;

namespace Hadal.Models.Tests;

/// <summary>The trap of the start-up canary: a NaN among the weights is named by the operation that it first shows in.</summary>
public sealed class FiniteCheckTests
{
    [Theory]
    [InlineData("llama", "model.layers.1.self_attn.o_proj.weight", "layers.1", "o_proj")]
    [InlineData("qwen2", "model.layers.0.mlp.down_proj.weight", "layers.0", "down_proj")]
    [InlineData("deepseek_v2", "model.norm.weight", "", "model.norm.weight")]
    public void Run_WithANanInAWeight_NamesTheOperation(string family, string weight, string scope, string mention)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(AppContext.BaseDirectory, "goldens", "models", family));
        using var damaged = new Damaged(checkpoint.Tensors, weight);
        using LoadedModel model = ModelLoader.Load(checkpoint.Config, damaged, new LoadOptions { Cpu = new CpuOptions { Threads = 2, BlockSize = 4 }, MaxContextLen = 64, MaxSequences = 1 }, cancellationToken: TestContext.Current.CancellationToken);
        using var batch = new StepBatch(4);
        batch.Reset(1, 4);
        batch.AddSequence([1, 2, 3, 4, 5], 0, [0, 1, 2, 3], LogitsWanted.All);
        Assert.Contains(model.Runner.Run(batch).ToArray(), float.IsNaN);
        model.Cpu.Program.ChecksFinite = true;
        HadalException e = Assert.Throws<HadalException>(() => { model.Runner.Run(batch); });
        Assert.Contains(scope, e.Message, StringComparison.Ordinal);
        Assert.Contains(mention, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Run_OfSoundWeights_FindsNothing()
    {
        foreach (string family in Golden.Families)
        {
            foreach (bool pack in new[] { false, true })
            {
                using var golden = new Golden(family, "default", new CpuOptions { Threads = 2, BlockSize = 4, Pack = pack });
                golden.Model.Cpu.Program.ChecksFinite = true;
                golden.Prefill(golden.Rows, chunk: 7);
            }
        }
    }

    private sealed unsafe class Damaged : ITensorSource
    {
        private readonly ITensorSource _base;
        private readonly StoredTensor _tensor;
        private readonly NativeBuffer _buffer;

        public Damaged(ITensorSource source, string weight)
        {
            _base = source;
            Assert.True(source.TryGet(weight, out StoredTensor? stored));
            _buffer = new NativeBuffer((nuint)stored.ByteLength);
            stored.Slice(0, (int)stored.ByteLength).CopyTo(_buffer.Span<byte>());
            Assert.True(stored.DType is DType.F32 or DType.Bf16);
            if (stored.DType == DType.F32)
            {
                _buffer.As<float>()[3] = float.NaN;
            }
            else
            {
                _buffer.As<ushort>()[3] = 0x7FC0;
            }

            _tensor = new StoredTensor(weight, stored.DType, [.. stored.Shape], _buffer, "damaged");
        }

        public string Description => "damaged";

        public IReadOnlyCollection<string> Names => _base.Names;

        public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
        {
            tensor = name == _tensor.Name ? _tensor : null;
            return tensor is not null || _base.TryGet(name, out tensor);
        }

        public void Dispose() => _buffer.Dispose();
    }
}
