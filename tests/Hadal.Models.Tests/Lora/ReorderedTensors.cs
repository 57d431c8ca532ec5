using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Hadal.Formats.Checkpoints;
using Hadal.Numerics;

namespace Hadal.Models.Tests.Lora;

/// <summary>A Llama checkpoint with the rows of q and k as llama.cpp's converter writes them: reshape(heads, 2, D / 2), then the last two axes swapped.</summary>
internal sealed unsafe class ReorderedTensors : ITensorSource
{
    private readonly ITensorSource _base;
    private readonly Dictionary<string, StoredTensor> _reordered = new(StringComparer.Ordinal);
    private readonly List<NativeBuffer> _buffers = [];

    public ReorderedTensors(Checkpoint checkpoint)
    {
        _base = checkpoint.Tensors;
        int d = checkpoint.Config.HeadDim;
        foreach (string name in _base.Names.Where(n => n.Contains(".q_proj.", StringComparison.Ordinal) || n.Contains(".k_proj.", StringComparison.Ordinal)))
        {
            Assert.True(_base.TryGet(name, out StoredTensor? stored));
            int rows = (int)stored.Shape[0];
            long rowBytes = stored.ByteLength / rows;
            var buffer = new NativeBuffer((nuint)stored.ByteLength);
            _buffers.Add(buffer);
            byte* to = buffer.Pointer;
            for (int h = 0; h < rows / d; h++)
            {
                for (int j = 0; j < d / 2; j++)
                {
                    for (int s = 0; s < 2; s++)
                    {
                        int row = (h * d) + (s * (d / 2)) + j;
                        NativeMemory.Copy(stored.Data + (row * rowBytes), to, (nuint)rowBytes);
                        to += rowBytes;
                    }
                }
            }

            _reordered[name] = new StoredTensor(name, stored.DType, [.. stored.Shape], buffer, "reordered");
        }
    }

    public string Description => "reordered";

    public IReadOnlyCollection<string> Names => _base.Names;

    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor) => _reordered.TryGetValue(name, out tensor) || _base.TryGet(name, out tensor);

    public void Dispose() => _buffers.ForEach(b => b.Dispose());
}
